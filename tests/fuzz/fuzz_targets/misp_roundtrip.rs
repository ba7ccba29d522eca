#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_corpus::structured::misp_roundtrip(bytes));
