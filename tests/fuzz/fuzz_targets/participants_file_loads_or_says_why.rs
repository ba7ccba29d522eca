#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_corpus::rules::participants_file_loads_or_says_why(bytes));
