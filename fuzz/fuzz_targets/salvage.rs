#![no_main]
vab_fuzz::target!(salvage);
