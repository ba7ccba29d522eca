#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_corpus::mail::mail_is_read_or_refused(bytes));
