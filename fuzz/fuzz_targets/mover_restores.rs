#![no_main]
vab_fuzz::target!(mover_restores);
