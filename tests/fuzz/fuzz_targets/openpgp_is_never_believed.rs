#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_corpus::mail::openpgp_is_never_believed(bytes));
