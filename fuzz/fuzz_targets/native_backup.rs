#![no_main]
vab_fuzz::target!(native_backup);
