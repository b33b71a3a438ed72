#![no_main]
vab_fuzz::target!(key_area);
