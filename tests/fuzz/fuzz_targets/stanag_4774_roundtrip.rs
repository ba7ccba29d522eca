#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_corpus::structured::stanag_4774_roundtrip(bytes));
