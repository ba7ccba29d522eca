//! What stands in the memory of the node's processes. Root alone can look:
//! every daemon hides its memory from its own user.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::Node;

/// Bytes read at once.
const PART: u64 = 8 << 20;

impl Node {
    /// Every process of the node, the supervisor too, by name.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        let running = self.running.as_ref().unwrap();
        let seen = running.seen.0.lock().unwrap();
        let daemons = seen.ready.iter().map(|(name, pid)| (name.clone(), *pid));
        daemons
            .chain([("supervisor".to_owned(), running.child.id())])
            .collect()
    }
}

/// Which of the secrets stand in a process's writable memory, by their place in
/// the list.
///
/// # Errors
/// Those of the kernel: somebody else's memory, or a hidden one.
pub fn found_in_memory(pid: u32, secrets: &[Vec<u8>]) -> io::Result<Vec<usize>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let pages = File::open(format!("/proc/{pid}/pagemap"))?;
    let finders: Vec<_> = secrets.iter().map(memchr::memmem::Finder::new).collect();
    let longest = secrets.iter().map(Vec::len).max().unwrap_or(1) as u64;
    let mut found = vec![false; secrets.len()];
    let mut part = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else {
            continue;
        };
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let (start, end) = (
            u64::from_str_radix(start, 16).unwrap(),
            u64::from_str_radix(end, 16).unwrap(),
        );
        for (mut at, end) in there(&pages, start, end)? {
            while at < end {
                part.resize(usize::try_from(PART.min(end - at)).unwrap(), 0);
                // A page that is gone meanwhile, or a device's, is no memory.
                let Ok(count) = memory.read_at(&mut part, at) else {
                    break;
                };
                let bytes = part.get(..count).unwrap();
                for (seen, finder) in found.iter_mut().zip(&finders) {
                    *seen = *seen || finder.find(bytes).is_some();
                }
                if count == 0 {
                    break;
                }
                // Parts overlap, so that nothing hides at their edges.
                let step = (count as u64).saturating_sub(longest);
                at += if at + count as u64 >= end || step == 0 {
                    count as u64
                } else {
                    step
                };
            }
        }
    }
    let hits = found.iter().enumerate().filter(|(_, hit)| **hit);
    Ok(hits.map(|(place, _)| place).collect())
}

/// Bytes of a page.
const PAGE: u64 = 4096;

/// The parts of a range that were ever written: most of a stack never is. Bit 63
/// of a page's entry says that it is in memory, bit 62 that it is in swap.
fn there(pages: &File, start: u64, end: u64) -> io::Result<Vec<(u64, u64)>> {
    let count = usize::try_from((end - start) / PAGE).unwrap();
    let mut entries = vec![0; count * 8];
    pages.read_exact_at(&mut entries, start / PAGE * 8)?;
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for (entry, at) in entries.chunks_exact(8).zip((start..end).step_by(4096)) {
        let entry = u64::from_le_bytes(entry.try_into().unwrap());
        if entry >> 62 == 0 {
            continue;
        }
        match runs.last_mut() {
            Some((_, to)) if *to == at => *to = at + PAGE,
            _ => runs.push((at, at + PAGE)),
        }
    }
    Ok(runs)
}
