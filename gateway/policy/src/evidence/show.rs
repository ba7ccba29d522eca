//! Evidence in the words that an officer reads before signing.

use std::fmt;

use super::{ClaimAnswer, Evidence, Proof};

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "policy set  {}", self.policy)?;
        writeln!(f, "instead of  {}", self.running)?;
        writeln!(
            f,
            "cases       {} in {} files, all as they should; every rule has one",
            self.cases.held,
            self.cases.files.len()
        )?;
        self.show_replay(f)?;
        match &self.proof {
            Proof::NoSolver { why } => write!(f, "proof       NOT PROVED: no solver ({why})"),
            Proof::Answered { solver, claims, .. } => {
                write!(
                    f,
                    "proof       {} claims answered by {solver}",
                    claims.len()
                )?;
                for claim in claims {
                    match &claim.answer {
                        ClaimAnswer::Proved => {
                            write!(f, "\n  proved    {}: {}", claim.name, claim.says)?;
                        }
                        ClaimAnswer::Refuted(release) => write!(
                            f,
                            "\n  WIDER     {}: NOT so that {}\n            for example: {release}",
                            claim.name, claim.says
                        )?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Evidence {
    fn show_replay(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.replay.summary;
        if self.replay.read == 0 {
            return writeln!(
                f,
                "replay      this node has no past decisions to run again"
            );
        }
        writeln!(
            f,
            "replay      {} past decisions run again, {} would come out differently, {} of them would release more",
            summary.decisions, summary.flips, summary.wider
        )?;
        if summary.without_facts > 0 {
            writeln!(
                f,
                "            {} more have no facts and cannot be run again",
                summary.without_facts
            )?;
        }
        for flip in &self.replay.flips {
            let between = flip
                .between
                .as_ref()
                .map(|(from, to)| format!("{from} to {to}"))
                .unwrap_or_default();
            writeln!(
                f,
                "  FLIP      {}  {}  {between} | {} -> {}{}",
                flip.at.as_deref().unwrap_or("-"),
                flip.id,
                flip.old,
                flip.new,
                if flip.wider { "  (releases more)" } else { "" }
            )?;
        }
        let listed = self.replay.flips.len() as u64;
        if summary.flips > listed {
            writeln!(f, "  … and {} more", summary.flips - listed)?;
        }
        Ok(())
    }
}
