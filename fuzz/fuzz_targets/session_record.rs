#![no_main]
vab_fuzz::target!(session_record);
