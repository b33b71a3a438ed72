#![no_main]
vab_fuzz::target!(facts);
