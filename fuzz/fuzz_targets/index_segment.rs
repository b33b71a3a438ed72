#![no_main]
vab_fuzz::target!(index_segment);
