//! Backup and restore over every back end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, called from others"
)]

mod common;
mod transfer_case;

/// The same tests for each back end; the second list for those that are both sides' own.
macro_rules! suite {
    ($($part:ident { $($test:ident)* })*; $($own_part:ident { $($own:ident)* })*) => {
        mod memory {
            $($(#[test] fn $test() {
                super::transfer_case::$part::$test(&super::common::memory());
            })*)*
            $($(#[test] fn $own() {
                super::transfer_case::$own_part::$own(&super::common::memory());
            })*)*
        }

        #[cfg(any(unix, windows))]
        mod pipe {
            $($(#[test] fn $test() {
                super::transfer_case::$part::$test(&super::common::pipe());
            })*)*
            $($(#[test] fn $own() {
                super::transfer_case::$own_part::$own(&super::common::pipe());
            })*)*
        }

        #[cfg(any(unix, windows))]
        mod plain_pipe {
            $($(#[test] fn $test() {
                super::transfer_case::$part::$test(&super::common::plain_pipe());
            })*)*
            $($(#[test] fn $own() {
                super::transfer_case::$own_part::$own(&super::common::plain_pipe());
            })*)*
        }

        #[cfg(any(target_os = "linux", windows))]
        mod native {
            $($(#[test] fn $test() {
                if let Some(both) = super::common::native() {
                    super::transfer_case::$part::$test(&both);
                }
            })*)*
        }
    };
}

suite! {
    backup {
        a_backup_of_four_devices_arrives_as_it_was_written
        commands_are_completed_in_any_order
        a_dropped_command_fails_the_operation
        without_complete_the_last_command_is_a_flush
        an_engine_that_is_faster_than_its_client_waits
    }
    restore {
        a_restore_gives_what_the_client_has
        reads_of_all_sizes_give_the_stream
        reads_in_place_give_the_stream_also_between_others
        an_engine_may_close_with_a_read_still_asked_for
        more_bytes_than_asked_for_are_refused
    }
    meeting {
        a_client_that_never_comes_ends_the_engines_wait
        an_engine_that_asks_for_other_devices_is_told_so
        devices_are_found_by_name_not_by_place
    }
    loss {
        an_abort_wakes_both_sides
    }
    many {
        sixty_four_devices_work_at_once
        sixty_four_devices_are_restored_at_once
    };

    backup {
        other_commands_are_answered_inside_and_remembered
    }
    meeting {
        an_engine_that_never_comes_leaves_the_set_to_be_waited_for
    }
    loss {
        a_lost_engine_is_seen_on_every_device
        a_lost_client_is_seen_on_every_device
    }
}

/// Only memory of this process can be kept.
mod keep {
    use super::common::{Both, memory};
    use super::transfer_case::keep;

    #[test]
    fn what_is_kept_stays_while_the_engine_goes_on() {
        keep::what_is_kept_stays_while_the_engine_goes_on(&memory());
    }

    #[test]
    fn no_more_is_kept_than_was_said() {
        keep::no_more_is_kept_than_was_said(&memory());
    }

    #[test]
    fn what_is_kept_outlives_a_lost_engine() {
        keep::what_is_kept_outlives_a_lost_engine(&memory());
    }

    #[test]
    fn a_command_that_is_dropped_after_its_bytes_were_kept_fails_the_operation() {
        keep::a_command_that_is_dropped_after_its_bytes_were_kept_fails_the_operation(&memory());
    }

    #[test]
    fn memory_of_another_process_is_not_kept() {
        let mut others: Vec<Both> = Vec::new();
        #[cfg(any(unix, windows))]
        others.extend([super::common::pipe(), super::common::plain_pipe()]);
        #[cfg(any(target_os = "linux", windows))]
        others.extend(super::common::native());
        for both in &others {
            keep::memory_of_another_process_is_not_kept(both);
        }
    }
}
