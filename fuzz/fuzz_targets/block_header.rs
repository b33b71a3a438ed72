#![no_main]
vab_fuzz::target!(block_header);
