#![no_main]
vab_fuzz::target!(vab_header);
