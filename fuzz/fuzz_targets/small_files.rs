#![no_main]
vab_fuzz::target!(small_files);
