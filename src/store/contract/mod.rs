//! What every [`Store`] promises, as checks that run on any of them.
//!
//! Each check gets a store without sessions and panics with a sentence that says which promise was broken. Run all of them
//! with [`check_all`], or make each a test of its own:
//!
//! ```
//! use std::sync::Arc;
//! use tower_mcp_sessions::store::{MemoryStore, Store};
//!
//! /// An empty store, and whatever must live as long as it does (a server, a directory).
//! async fn fresh() -> (Arc<dyn Store>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! tower_mcp_sessions::store_contract_tests!(fresh);
//! # fn main() {}
//! ```
//!
//! Verdicts about time use the store's own clock, so a slow machine makes a run longer, not red.

mod adopting;
mod bus;
mod data;
mod ending;
mod event_log;
mod farewell;
mod fixture;
mod holding;
mod inner_session;
mod lifetimes;
mod limiting;
mod opening;
mod paging;
mod reconnecting;
mod recording;
mod relaying;
mod streams;
mod superseding;
mod surveying;
mod sweeping;
mod touching;
mod trimming;

use std::sync::Arc;

use super::Store;

pub use adopting::*;
pub use bus::*;
pub use data::*;
pub use ending::*;
pub use event_log::*;
pub use farewell::*;
pub use holding::*;
pub use inner_session::*;
pub use lifetimes::*;
pub use limiting::*;
pub use opening::*;
pub use paging::*;
pub use reconnecting::*;
pub use recording::*;
pub use relaying::*;
pub use streams::*;
pub use superseding::*;
pub use surveying::*;
pub use sweeping::*;
pub use touching::*;
pub use trimming::*;

/// Calls a macro with the names of all checks.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_store_check {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { ($($args)*)
            an_opened_session_is_found_as_it_was_given
            a_taken_key_is_refused_and_its_session_untouched
            of_many_openings_of_one_key_one_wins
            what_was_never_opened_is_nowhere
            the_handshake_comes_back_byte_for_byte
            the_census_counts_by_status
            living_sessions_stay_within_a_cap
            touches_are_answered_in_order
            a_touch_says_when_a_session_was_seen
            last_seen_never_moves_back
            a_touch_does_not_wake_a_disconnected_session
            a_touch_finds_nothing_past_the_retention
            a_touch_of_another_generation_changes_nothing
            a_revived_session_is_active_and_seen_now
            of_many_revivals_one_wins
            a_session_past_its_retention_is_not_revived
            a_reconnect_renews_the_secret_and_keeps_the_session
            a_reconnected_session_is_active_and_seen_now
            of_many_reconnects_one_wins
            the_winner_may_retry
            what_is_over_is_not_reconnected
            an_anonymous_session_is_its_first_principals
            of_many_adopters_one_wins
            an_adopter_may_come_again
            what_is_over_is_not_adopted
            an_anonymous_holder_is_out
            an_adoption_racing_a_reconnect_loses_or_wins
            an_adoption_racing_an_end_brings_nothing_back
            an_old_holder_writes_nothing
            a_late_deed_is_done_to_the_holders_own_session_or_to_none
            an_old_holders_touch_keeps_nothing_alive
            a_new_holder_goes_on_listening_where_the_old_one_was
            an_old_holders_calls_are_forgotten
            an_old_holders_questions_are_forgotten
            shapings_are_forgotten_with_their_handshake
            a_retry_supersedes_the_first_try
            a_late_try_takes_nothing_away
            nothing_of_an_ended_session_is_left
            of_many_ends_one_wins
            nothing_late_brings_an_ended_session_back
            a_key_opened_again_inherits_nothing
            an_inner_session_is_kept_as_it_was_given
            an_inner_session_is_replaced_by_who_knows_it
            of_many_replacements_one_wins
            a_new_handshake_brings_its_inner_session
            a_new_handshake_without_one_removes_it
            a_retry_replaces_what_the_first_try_brought
            a_late_try_leaves_the_inner_session
            a_replacement_racing_a_reconnect_is_part_of_no_other_session
            an_ended_session_leaves_its_inner_session_to_one
            an_inner_session_is_left_however_the_session_ended
            a_replacement_racing_an_end_is_left_or_refused
            a_key_opened_again_inherits_no_inner_session
            an_idle_session_becomes_disconnected_and_not_early
            an_unseen_session_ends_and_not_early
            an_old_session_ends_even_if_it_is_used
            an_unconfirmed_session_ends_and_not_early
            a_confirmed_session_stays
            a_sweep_leaves_alone_what_is_not_due
            several_sweepers_report_each_transition_once
            sweeps_with_a_limit_get_through
            a_sweep_racing_a_touch_loses_nothing
            a_touch_in_time_keeps_a_session_active
            each_session_has_lifetimes_of_its_own
            a_sweep_waits_for_its_grace
            applied_lifetimes_hold_for_all_that_live
            applying_lifetimes_disturbs_nobody
            announced_lifetimes_are_told_to_the_next
            values_are_kept_replaced_and_forgotten
            values_belong_to_their_session
            values_stay_while_the_session_lives
            data_stays_within_its_limit
            concurrent_writers_stay_within_the_limit
            a_stream_is_read_as_it_was_written
            a_read_begins_after_its_position_and_ends_at_its_maximum
            positions_rise_over_the_whole_session
            concurrent_appends_get_positions_of_their_own
            a_reader_that_follows_misses_nothing
            another_generation_writes_nothing
            an_ended_session_takes_no_messages
            the_oldest_messages_of_whichever_stream_make_room
            bytes_are_limited_too
            a_message_over_the_limit_is_kept_alone
            a_gap_is_told_of_the_streams_that_have_one
            positions_go_on_after_trimming
            a_stream_is_known_from_its_beginning_to_its_end
            of_many_ends_of_a_stream_one_wins
            an_open_stream_is_not_forgotten
            listeners_follow_each_other
            the_current_listeners_cursor_resumes
            a_question_is_answered_once
            open_questions_are_bounded
            letters_are_read_in_order
            a_blueprint_knows_how_a_session_was_shaped
            a_replicas_word_is_good_for_a_while
            what_is_said_of_a_deployment_is_told_to_the_next
            permits_are_given_up_to_the_rate
            refused_attempts_do_not_count
            windows_are_apart
            of_many_takers_as_many_get_a_permit_as_there_are
            no_span_has_more_permits_than_the_rate
            an_event_tells_what_happened_and_to_whom
            an_end_is_told_with_its_reason
            a_refusal_is_told_with_the_session_it_was_about
            what_changes_nothing_is_not_recorded
            of_many_who_try_one_is_recorded
            the_events_of_a_session_are_in_order
            reading_on_from_any_offset_gives_the_rest
            what_a_log_no_longer_keeps_is_a_gap
            a_log_that_lost_nothing_keeps_its_epoch
            who_watches_hears_of_each_event
            vitals_count_what_was_done
            too_many_clients_are_not_told_apart
            ages_are_counted_by_the_limits_given
            vitals_equal_a_recount_whatever_was_done
            pages_lead_through_all_sessions_once_and_in_order
            pages_find_what_stays_whatever_comes_and_goes
            a_view_shows_a_session_as_it_is
            the_bus_tells_of_each_change
            the_bus_tells_every_listener
            a_listener_that_falls_behind_is_told_so
        }
    };
}

/// Makes each check a test of its own, in the module it is called in. Takes the name of an `async fn` without arguments that
/// returns an empty store as `Arc<dyn Store>`, and what must outlive it.
#[macro_export]
macro_rules! store_contract_tests {
    ($fresh:path) => {
        $crate::__each_store_check! { __store_check_tests!($fresh) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_check_tests {
    (($fresh:path) $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let (store, _keep) = $fresh().await;
                $crate::testing::contract::$check(store).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __run_store_checks {
    (($fresh:ident) $($check:ident)*) => {
        $(
            let (store, _keep) = $fresh().await;
            $crate::testing::contract::$check(store).await;
        )*
    };
}

/// Runs all checks, one after the other, each on a store of its own. `fresh` returns the store and what must outlive it.
///
/// # Panics
///
/// If the store breaks a promise.
pub async fn check_all<T>(fresh: impl AsyncFn() -> (Arc<dyn Store>, T)) {
    crate::__each_store_check! { __run_store_checks!(fresh) }
}
