//! The one table of cases.

/// Makes one test of each case of the ports; see [`crate::conformance`].
#[macro_export]
macro_rules! conformance_suite {
    ($harness:ty) => {
        $crate::conformance_suite!($harness, except {});
    };
    ($harness:ty, except { $($name:literal: $reason:literal),* $(,)? }) => {
        $crate::conformance_tests! { $harness, run, [$(($name, $reason)),*], {
            facts: [
                facts_are_stored_once_and_announced,
                the_same_record_again_is_a_duplicate,
                another_payload_under_a_stored_identity_is_a_conflict,
                the_first_of_several_in_one_batch_wins,
                an_identity_is_the_hour_and_the_hash,
                account_facts_create_their_accounts_before_anything_else,
                facts_about_a_user_alone_go_to_slice_0,
                facts_go_to_the_slice_of_their_account,
                a_batch_that_stores_no_fact_writes_no_entry,
                a_rejection_does_not_consume_an_identity,
                a_commit_that_fails_leaves_nothing,
                a_commit_that_fails_does_not_spoil_those_beside_it,
                concurrent_writers_of_the_same_records_store_each_once,
                concurrent_writers_that_bring_one_account_agree_on_its_uid,
                tenants_share_no_identity,
            ]
            held: [
                a_record_of_an_unknown_account_is_held,
                a_held_record_that_comes_again_is_held_once,
                another_payload_of_a_held_record_is_a_conflict,
                held_records_are_stored_when_their_account_appears,
                what_an_account_releases_is_told_in_entries_that_one_message_carries,
                a_held_record_that_comes_again_with_its_account_is_stored_once,
                holding_does_not_consume_an_identity,
                held_records_are_listed_oldest_first,
                no_record_waits_for_an_account_that_is_known,
            ]
            releases: [
                one_transaction_releases_so_many_records_and_not_more,
                one_transaction_releases_so_many_bytes_and_not_many_more,
                a_commit_releases_all_that_waited,
                what_waited_is_stored_before_what_comes_next,
                what_was_left_is_released_by_whoever_commits_next,
                history_that_is_released_after_its_import_is_news,
                what_was_left_is_known_where_the_clock_stands_when_it_is_released,
            ]
            places: [
                of_what_is_said_on_a_day_the_ends_stay,
                a_feed_is_followed_once,
                places_of_tenants_are_apart,
                what_waits_for_a_user_is_stored_where_the_user_was,
                what_comes_for_a_user_with_a_place_does_not_wait,
                no_record_waits_for_a_user_with_a_place,
                engines_agree_on_places_with_the_formula,
                events_of_each_type_are_added_up,
                so_many_types_of_events_are_told_apart_and_the_others_are_counted_together,
            ]
            timeline: [
                all_of_an_account_is_told_newest_first,
                a_timeline_goes_on_behind_any_of_its_rows,
                a_timeline_tells_what_was_known_of_the_time_until_a_moment,
                a_timeline_has_the_kinds_that_are_asked_for,
                timelines_of_tenants_are_apart,
                events_are_told_of_as_far_as_the_feed_was_followed,
            ]
            feed: [
                heads_are_listed_by_tenant_and_slice,
                entries_are_read_in_order_after_a_number,
                facts_are_read_until_the_bytes_are_passed,
                a_follower_never_skips_an_entry_of_concurrent_writers,
                an_acknowledged_entry_can_be_read,
                entries_tell_of_the_call_that_brought_them,
            ]
            accounts: [
                accounts_are_found_by_external_id,
                accounts_are_listed_in_byte_order,
                versions_are_all_facts_of_accounts_but_events,
                versions_of_one_instant_are_in_the_order_of_the_feed,
            ]
            intake: [
                refused_records_are_listed_newest_first,
                refusals_are_asked_for_by_source_and_reason_and_removed,
                a_refusal_that_comes_again_is_listed_once_and_counted_again,
                sources_tell_what_became_of_their_records,
                records_of_a_source_are_counted_by_the_hours_of_weeks,
            ]
            tenants: [
                a_tenant_is_found_by_id_and_by_name,
                a_tenant_name_is_given_once,
                tenants_are_listed_by_name,
                an_import_is_marked_in_the_feed_of_every_slice_once,
                a_fixed_clock_moves_forward_through_the_feed_of_every_slice,
            ]
            clocks: [
                news_that_passed_the_door_before_the_clock_was_moved_is_known_where_it_stands,
                what_was_held_is_known_once_its_account_is,
                news_that_is_stored_while_the_clock_moves_is_known_in_the_order_of_the_feed,
                a_clock_is_moved_while_writers_go_on,
            ]
            imports: [
                history_is_stored_only_while_an_import_is_open,
                history_that_is_refused_does_not_spoil_what_comes_beside_it,
                no_history_comes_after_the_completion_of_its_import,
            ]
            keys: [
                a_key_is_found_by_its_public_part,
                keys_are_listed_by_id,
                a_key_is_revoked_once,
            ]
            requests: [
                every_change_of_ingestion_is_made_once,
                a_segmentation_is_made_once,
                concurrent_deliveries_of_one_request_make_one_change,
                requests_of_owners_and_methods_are_apart,
                a_change_that_fails_or_changes_nothing_uses_no_request_up,
                answers_are_there_after_reopening,
                answers_are_kept_for_two_days_and_then_removed_a_few_at_a_time,
            ]
            replica: [
                scoring_keeps_what_it_followed,
                metrics_keeps_what_it_followed,
                a_fenced_commit_of_scoring_leaves_nothing,
                a_fenced_commit_of_facts_to_metrics_leaves_nothing,
                of_concurrent_scorers_one_moves_the_cursor,
                of_concurrent_metrics_one_moves_the_cursor,
            ]
            scoring: [
                months_are_replaced_whole,
                models_of_a_close_are_the_last_ones_stored_and_read_newest_first,
                the_state_of_a_slice_is_the_last_one_stored,
                evaluations_are_numbered_in_order,
                a_fenced_commit_leaves_no_score,
                of_concurrent_closes_of_one_day_one_is_told,
            ]
            segmentations: [
                segmentations_are_numbered_and_listed_by_key,
                a_segmentation_key_is_given_once,
                concurrent_creations_get_numbers_of_their_own,
            ]
            revisions: [
                a_revision_is_proposed_activated_and_taken_back,
                of_concurrent_activations_one_decides,
                a_revision_decides_only_by_the_report_that_was_judged,
                revisions_of_tenants_are_apart,
                what_was_learned_is_kept_with_all_of_its_bytes,
                a_revision_answers_from_what_it_was_fitted_to,
                what_a_request_was_answered_is_known_before_it_is_made_again,
            ]
            catalogue: [
                a_segmenter_is_published_once_with_all_of_its_code,
                a_version_has_one_digest_for_ever,
                a_state_changes_only_from_where_it_may,
                a_segmenter_that_is_used_cannot_be_retired,
                what_may_not_be_used_is_put_to_no_use,
                of_a_use_and_an_end_at_one_time_one_happens,
                events_are_told_in_order_to_those_whom_they_concern,
                replicas_say_how_they_stand_and_are_forgotten,
            ]
            memberships: [
                segmentation_knows_how_far_it_is,
                memberships_are_replaced_whole,
                segmentation_finds_accounts_by_external_id,
                segmentation_announces_commits_that_have_an_entry,
                a_fenced_commit_leaves_no_membership,
                of_concurrent_segmentations_one_moves_the_cursor,
                a_commit_of_memberships_passes_once_also_at_its_cursor,
            ]
            transitions: [
                a_past_membership_is_the_newest_transition_known_then,
                a_correction_replaces_what_was_known_of_its_moment_since_it_is_known,
                histories_are_of_the_accounts_asked_for,
                of_transitions_at_one_moment_the_greater_id_is_newer,
                members_at_a_moment_are_listed_by_external_id,
                counts_at_a_moment_are_of_newest_transitions,
                what_was_told_of_a_moment_stays_told,
            ]
            transition_lists: [
                transitions_come_newest_first,
                transitions_are_filtered,
                transitions_come_by_value_at_risk,
                moves_that_an_account_has_moved_on_from_put_nothing_at_risk,
                transitions_are_listed_as_they_are_known,
                equal_transitions_come_by_external_id,
            ]
            metrics: [
                moves_are_read_in_the_order_in_which_they_were_stored,
                a_fenced_commit_leaves_no_move,
                the_cursors_of_facts_and_moves_are_apart,
            ]
            isolation: [
                tenants_see_their_own_facts_only,
                tenants_see_their_own_scores_only,
                tenants_see_their_own_memberships_only,
                tenants_see_their_own_moves_only,
            ]
            durability: [
                facts_are_there_after_reopening,
                scores_are_there_after_reopening,
                memberships_are_there_after_reopening,
                moves_are_there_after_reopening,
            ]
            writable: [
                a_store_can_be_written_before_and_after_a_commit_and_asking_stores_nothing,
            ]
        } }
    };
}

/// Makes one test of each case of a cache; see [`crate::conformance`].
#[macro_export]
macro_rules! conformance_cache_suite {
    ($harness:ty) => {
        $crate::conformance_cache_suite!($harness, except {});
    };
    ($harness:ty, except { $($name:literal: $reason:literal),* $(,)? }) => {
        $crate::conformance_tests! { $harness, run_cache, [$(($name, $reason)),*], {
            cache: [
                an_entry_answers_at_its_position_and_below,
                an_entry_never_replaces_one_of_a_greater_position,
                several_entries_are_put_at_once,
                of_concurrent_entries_the_greatest_position_stays,
            ]
        } }
    };
}

/// Makes tests of a table.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($harness:ty, $run:ident, $excluded:expr, { $($module:ident: [$($case:ident),* $(,)?])* }) => {
        const EXCLUDED: $crate::conformance::Excluded = &$excluded;

        #[test]
        fn every_exclusion_names_a_case() {
            const CASES: &[&str] = &[$($(stringify!($case)),*),*];
            for (name, _) in EXCLUDED {
                assert!(CASES.contains(name), "there is no case \"{name}\"");
            }
        }

        $($(
            #[test]
            fn $case() {
                $crate::conformance::$run::<$harness, _>(stringify!($case), EXCLUDED, $crate::conformance::$module::$case);
            }
        )*)*
    };
}
