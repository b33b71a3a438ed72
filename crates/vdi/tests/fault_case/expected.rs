//! What has to come of a case.

use vab_vdi::{CompletionCode, Direction};

use super::{Case, ClientEnd as C, EngineEnd as E, Fault, Outcome, Stage, WaitEnd};

/// What is allowed for the device that the fault is about, and for the others.
struct Expected {
    client: Vec<C>,
    other_clients: Vec<C>,
    engine: Vec<E>,
    other_engines: Vec<E>,
}

impl Case {
    /// Compares with what is documented.
    pub(crate) fn check(self, outcome: &Outcome) -> Result<(), String> {
        match self.fault {
            Fault::Timeout(Stage::Created) => ends_at_wait(outcome, WaitEnd::NotYet),
            Fault::ClientAborts(Stage::Created) => ends_at_wait(outcome, WaitEnd::Aborted),
            Fault::ClientDies(Stage::Created) | Fault::ClientNeverComes => {
                ends_at_wait(outcome, WaitEnd::Died)
            }
            _ => self.check_devices(outcome),
        }
    }

    fn check_devices(self, outcome: &Outcome) -> Result<(), String> {
        let mut expected = self.expected();
        if !outcome.tells_who_is_lost {
            expected.forget_who_is_lost();
        }
        let seen = match outcome.open {
            Some(end) => vec![end; self.devices],
            None => outcome.client.clone(),
        };
        if outcome.wait.is_some() || seen.len() != self.devices {
            return Err(format!(
                "the client did not get to its devices: {outcome:?}"
            ));
        }
        let all_died = outcome.open == Some(C::Died);
        for (index, end) in seen.iter().enumerate() {
            let victim = index == self.victim() || all_died;
            let allowed = if victim {
                &expected.client
            } else {
                &expected.other_clients
            };
            if !allowed.contains(end) {
                return Err(format!("client device {index}: {end:?}, not {allowed:?}"));
            }
        }
        for (index, end) in outcome.engine.iter().enumerate() {
            let victim = index == self.victim();
            let allowed = if victim {
                &expected.engine
            } else {
                &expected.other_engines
            };
            if !allowed.contains(end) {
                return Err(format!("engine device {index}: {end:?}, not {allowed:?}"));
            }
        }
        let timeout = matches!(self.fault, Fault::Timeout(stage) if stage != Stage::Open);
        if timeout && !outcome.engine.contains(&E::Timeout) {
            return Err(format!("nothing timed out: {outcome:?}"));
        }
        let normal = matches!(self.fault, Fault::None | Fault::Timeout(Stage::Open));
        if outcome.closed != (normal, normal) {
            return Err(format!("closed normally, or not: {outcome:?}"));
        }
        Ok(())
    }

    fn expected(self) -> Expected {
        let backup = self.direction == Direction::Backup;
        let code = |backup_code, restore_code| {
            vec![E::Failed(if backup { backup_code } else { restore_code })]
        };
        let (read_fault, write_fault) = (CompletionCode::READ_FAULT, CompletionCode::WRITE_FAULT);
        let cut_off = vec![E::ClientLost, E::Aborted];
        match self.fault {
            Fault::EngineDies(_) => Expected::all(C::EngineLost, E::Aborted),
            // The command that the client had in hand is completed as its type promises.
            Fault::ClientDies(Stage::Transfer | Stage::Barrier) => Expected {
                client: vec![C::Died],
                other_clients: vec![C::Aborted],
                engine: vec![E::Failed(CompletionCode::OPERATION_ABORTED)],
                other_engines: cut_off,
            },
            Fault::ClientDies(_) => Expected {
                client: vec![C::Died],
                ..Expected::all(C::Aborted, E::ClientLost)
            },
            // Whichever is first at its limit ends all; on a busy machine it need not be the
            // one that is kept waiting.
            Fault::Timeout(Stage::Configured | Stage::Transfer | Stage::Barrier) => Expected {
                engine: vec![E::Timeout, E::Aborted],
                other_engines: vec![E::Timeout, E::Aborted],
                ..Expected::all(C::Aborted, E::Aborted)
            },
            Fault::DeviceFails(_) => Expected {
                engine: code(write_fault, read_fault),
                ..Expected::all(C::Aborted, E::Aborted)
            },
            Fault::SinkFull => Expected {
                client: vec![C::Storage],
                other_clients: vec![C::Aborted],
                engine: code(CompletionCode::DISK_FULL, read_fault),
                other_engines: cut_off,
            },
            Fault::ClientAborts(_) | Fault::EngineAborts(_) => {
                Expected::all(C::Aborted, E::Aborted)
            }
            _ => Expected::all(C::Ended, E::Closed),
        }
    }
}

impl Expected {
    /// The interface of SQL Server knows nothing but an abort.
    fn forget_who_is_lost(&mut self) {
        for clients in [&mut self.client, &mut self.other_clients] {
            clients
                .iter_mut()
                .filter(|end| **end == C::EngineLost)
                .for_each(|end| *end = C::Aborted);
        }
        for engines in [&mut self.engine, &mut self.other_engines] {
            engines
                .iter_mut()
                .filter(|end| **end == E::ClientLost)
                .for_each(|end| *end = E::Aborted);
        }
    }

    fn all(client: C, engine: E) -> Self {
        Self {
            client: vec![client],
            other_clients: vec![client],
            engine: vec![engine],
            other_engines: vec![engine],
        }
    }
}

fn ends_at_wait(outcome: &Outcome, wanted: WaitEnd) -> Result<(), String> {
    if outcome.wait == Some(wanted) && !outcome.found {
        return Ok(());
    }
    Err(format!("the wait ended otherwise: {outcome:?}"))
}
