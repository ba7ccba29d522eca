//! The same contract on both databases, and what is peculiar to each.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test stops at what it does not expect"
)]

#[path = "../support/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other test programs")]
mod support;

mod batches;
mod crash;
mod disk;
mod log;
mod lost;
mod only_postgres;
mod only_sqlite;
mod opening;
mod queues;
mod rows;
mod wrappings;

/// Makes each case a test on each database.
macro_rules! contract {
    ($($room:ident::$case:ident),+ $(,)?) => {
        mod sqlite { $(#[test] fn $case() { super::$room::$case(&super::support::world::World::sqlite()); })+ }
        mod postgres { $(#[test] fn $case() { super::$room::$case(&super::support::world::World::postgres()); })+ }
    };
}

contract! {
    rows::all_rows_come_back_as_they_were_written,
    rows::updates_replace_the_version_before_alone,
    rows::what_is_taken_is_a_duplicate_of_its_holder,
    rows::a_step_that_fails_changes_nothing,
    rows::segments_belong_to_their_body,
    rows::idempotency_keys_are_forgotten_when_told,
    rows::documents_raise_the_epoch_that_guards_hold,
    wrappings::a_key_is_closed_only_when_nothing_is_under_it_and_stays_so,
    queues::inboxes_are_read_by_urgency_and_age_page_by_page,
    queues::what_is_due_is_what_is_to_be_sent_now,
    queues::states_are_listed_oldest_first,
    queues::cases_are_listed_by_what_is_most_urgent,
    batches::failures_do_not_sink_their_neighbours,
    batches::waiting_steps_share_a_transaction,
    batches::registration_numbers_are_unique_and_rise_over_restarts,
    batches::readers_see_whole_steps_while_the_writer_writes,
    log::the_tree_is_that_of_all_records_in_order,
    log::proofs_hold,
    log::checkpoints_of_this_log_are_kept,
    log::leaves_can_be_neither_changed_nor_removed_nor_left_out,
    log::a_forged_record_shows,
    opening::a_restart_goes_on_where_it_was,
    opening::what_is_not_there_is_not_made_in_passing,
    opening::a_newer_schema_is_refused,
    opening::one_writer_for_each_log,
    opening::a_writer_that_was_superseded_writes_no_more,
    opening::an_older_copy_does_not_pass_its_anchor,
    lost::an_answer_lost_after_the_commit_is_found_again,
    lost::a_transaction_lost_before_the_commit_is_done_again,
    lost::both_at_once_under_load,
    crash::no_acknowledged_step_is_lost_when_the_writer_is_killed,
}
