//! Named instances: what is asked of SQL Server Browser, and what is made of its answers.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use vab_engine::mssql::connection::ConnectError;
use vab_engine::mssql::{Address, Encryption};

use crate::connect;
use crate::tds::session::{Session, listen_on};
use crate::tds::token::End;

/// Every test has an address of its own on this machine, since the port of the Browser is fixed.
fn host(number: u8) -> IpAddr {
    IpAddr::from([127, 0, 14, number])
}

/// Answers every question at UDP 1434 with these bytes, and hands on what was asked. `None` where
/// that port cannot be had.
fn browser(host: IpAddr, answers: Vec<Vec<u8>>) -> Option<Receiver<Vec<u8>>> {
    let socket = match UdpSocket::bind((host, 1434)) {
        Ok(socket) => socket,
        Err(error) => {
            println!("skipped: UDP 1434 of {host} cannot be had: {error}");
            return None;
        }
    };
    let (heard, asked) = mpsc::channel();
    thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 100];
        loop {
            let (length, from) = socket.recv_from(&mut buffer)?;
            for answer in &answers {
                socket.send_to(answer, from)?;
            }
            if heard.send(buffer[..length].to_vec()).is_err() {
                return Ok(());
            }
        }
    });
    Some(asked)
}

/// An answer by the protocol: 5, a length, and a text.
fn answer(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&[5][..], &length.to_le_bytes(), text].concat()
}

fn instance(host: IpAddr) -> Address {
    let mut address = Address::new(host.to_string());
    address.instance = Some("PROD".to_owned());
    address.encryption = Encryption::Off;
    address
}

fn server(host: IpAddr) -> u16 {
    let handler = |session: &mut Session, _: &str| session.end(End::Well);
    listen_on(host, None, Arc::new(handler)).port()
}

/// The error, which is told with what to do.
fn unreachable(address: Address) -> String {
    match connect(address) {
        Err(error @ ConnectError::Unreachable { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it connected"),
    }
}

#[test]
fn the_port_of_an_instance_is_asked_for() {
    let host = host(1);
    let port = server(host);
    let text =
        format!("ServerName;SIM;InstanceName;PROD;IsClustered;No;Version;16.0.4135.4;tcp;{port};;");
    let Some(asked) = browser(host, vec![answer(text.as_bytes())]) else {
        return;
    };
    assert!(connect(instance(host)).is_ok());
    assert_eq!(asked.recv().unwrap(), b"\x04PROD");
}

#[test]
fn a_port_that_is_given_is_not_asked_for() {
    let host = host(2);
    let Some(asked) = browser(host, vec![answer(b"tcp;1;")]) else {
        return;
    };
    let mut address = instance(host);
    address.port = Some(server(host));
    assert!(connect(address).is_ok());
    assert!(asked.try_recv().is_err());
}

/// Anybody can send datagrams.
#[test]
fn an_answer_that_is_none_is_an_error_with_advice() {
    let host = host(3);
    let long = [b"tcp;".as_slice(), &[b'9'; 5000]].concat();
    let hostile: Vec<Vec<u8>> = vec![
        vec![],
        vec![5],
        vec![5, 0xff],
        vec![5, 0xff, 0xff],
        answer(b""),
        answer(b"ServerName;SIM;InstanceName;PROD;np;\\\\SIM\\pipe\\sql\\query;;"),
        answer(b"tcp;"),
        answer(b"tcp;;"),
        answer(b"tcp;0;"),
        answer(b"tcp;-1;"),
        answer(b"tcp;65536;"),
        answer(b"tcp;99999999999999999999;"),
        answer(b"tcp;14\xff33;"),
        answer(b"tcp; 1433;"),
        answer(&long),
        answer(&vec![b';'; 60_000]),
    ];
    let (mut cases, count) = (0, hostile.len());
    for bytes in hostile {
        let Some(asked) = browser(host, vec![bytes.clone()]) else {
            return;
        };
        let error = unreachable(instance(host));
        assert!(error.contains("HOST:PORT/PROD"), "{bytes:?}: {error}");
        drop(asked);
        // The thread is at its next question, and ends with it.
        let knock = UdpSocket::bind((host, 0)).unwrap();
        while UdpSocket::bind((host, 1434)).is_err() {
            knock.send_to(b"end", (host, 1434)).unwrap();
            thread::yield_now();
        }
        cases += 1;
    }
    println!("{cases} of {count} answers that are none, 0 wrong");
}

#[test]
fn a_browser_that_does_not_answer_is_not_waited_for_for_ever() {
    let host = host(4);
    let Some(_asked) = browser(host, Vec::new()) else {
        return;
    };
    let error = unreachable(instance(host));
    assert!(
        error.contains("timeout") && error.contains("HOST:PORT/PROD"),
        "{error}"
    );
}

#[test]
fn an_instance_that_is_told_of_and_does_not_listen_is_unreachable() {
    let host = host(5);
    let Some(_asked) = browser(host, vec![answer(b"InstanceName;PROD;tcp;1;;")]) else {
        return;
    };
    assert!(unreachable(instance(host)).contains("is the port open?"));
}
