#![no_main]
vab_fuzz::target!(manager_messages);
