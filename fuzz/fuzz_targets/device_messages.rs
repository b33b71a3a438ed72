#![no_main]
vab_fuzz::target!(device_messages);
