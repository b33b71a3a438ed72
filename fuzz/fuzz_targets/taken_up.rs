#![no_main]
vab_fuzz::target!(taken_up);
