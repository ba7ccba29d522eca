//! SoftHSM 2 cut down to what devices had fifteen years ago: keys are wrapped by
//! RSA-OAEP. Its RSA keys take a second each, hence few cases.
#![forbid(unsafe_code)]

mod suite;

suite::cases!(suite::Kind::Softhsm, suite::Profile::Old;
    capabilities: the_matrix_tells_what_there_is,
    capabilities: what_was_wrapped_otherwise_still_opens,
    content: every_changed_byte_is_a_data_error_and_harms_nobody_else,
    content: another_kek_does_not_open_it,
);
