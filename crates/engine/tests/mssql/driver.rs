//! What is heard, read and cancelled on a connection.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use uuid::Uuid;
use vab_chain::ServerTime;
use vab_engine::Cancel;
use vab_engine::mssql::connection::{Connection, ExecuteError, Row, Value};
use vab_engine::mssql::statement::{Query, Statement};

use crate::tds::session::Session;
use crate::tds::table::{Cell, Table, Type};
use crate::tds::token::{End, error, info};
use crate::{connect, plain, serve};

const LONG: Duration = Duration::from_secs(20);

fn work() -> Statement {
    Query::new("WORK").statement()
}

/// A handler that lets what every connection says first pass.
fn on_work(
    handler: impl Fn(&mut Session) -> std::io::Result<()> + Send + Sync + 'static,
) -> impl Fn(&mut Session, &str) -> std::io::Result<()> + Send + Sync + 'static {
    move |session, text| match text {
        "SET LANGUAGE us_english" => session.end(End::Well),
        "WORK" => handler(session),
        other => panic!("{other}"),
    }
}

fn connection(
    handler: impl Fn(&mut Session) -> std::io::Result<()> + Send + Sync + 'static,
) -> Box<dyn Connection> {
    connect(plain(serve(None, on_work(handler)))).unwrap()
}

fn ask(connection: &mut dyn Connection) -> Result<Vec<Row>, ExecuteError> {
    connection.execute(&work(), None, &Cancel::new(), &mut |_| {})
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of every type")]
fn values_of_every_type_come_as_they_were() {
    let guid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    let time = ServerTime::from_calendar(2026, 11, 22, 14, 30, 59).unwrap();
    let minute = ServerTime::from_calendar(2026, 11, 22, 14, 30, 0).unwrap();
    let exact = ServerTime::from_micros(time.as_micros() + 123_456);
    let early = ServerTime::from_calendar(1753, 1, 1, 0, 0, 0).unwrap();
    let number = 4_294_967_295_429_496_729_565_535_u128;
    let long = "ä𝄞".repeat(3000);
    let columns = [
        ("bit", Type::Bit, Cell::Bit(true), Value::Bit(true)),
        ("tiny", Type::TinyInt, Cell::Int(255), Value::Integer(255)),
        ("int1", Type::Int(1), Cell::Int(0), Value::Integer(0)),
        ("int2", Type::Int(2), Cell::Int(-300), Value::Integer(-300)),
        (
            "int4",
            Type::Int(4),
            Cell::Int(-70_000),
            Value::Integer(-70_000),
        ),
        (
            "int8",
            Type::Int(8),
            Cell::Int(i64::MIN),
            Value::Integer(i64::MIN),
        ),
        (
            "big",
            Type::BigInt,
            Cell::Int(i64::MAX),
            Value::Integer(i64::MAX),
        ),
        (
            "nvarchar",
            Type::NVarChar,
            "ü𝄞'".into(),
            Value::Text("ü𝄞'".to_owned()),
        ),
        (
            "max",
            Type::NVarCharMax,
            long.as_str().into(),
            Value::Text(long.clone()),
        ),
        (
            "varchar",
            Type::VarChar,
            "34".into(),
            Value::Text("34".to_owned()),
        ),
        (
            "char",
            Type::Char(1),
            "D".into(),
            Value::Text("D".to_owned()),
        ),
        ("guid", Type::Guid, guid.into(), Value::Guid(guid)),
        ("datetime", Type::DateTime, time.into(), Value::Time(time)),
        ("early", Type::DateTime, early.into(), Value::Time(early)),
        (
            "small",
            Type::SmallDateTime,
            minute.into(),
            Value::Time(minute),
        ),
        ("exact", Type::DateTime2, exact.into(), Value::Time(exact)),
        (
            "numeric",
            Type::Numeric,
            Cell::Number(number),
            Value::Decimal(i128::try_from(number).unwrap()),
        ),
        (
            "binary",
            Type::VarBinary,
            Cell::Bytes(vec![0, 255]),
            Value::Bytes(vec![0, 255]),
        ),
    ];
    let heads: Vec<_> = columns
        .iter()
        .map(|(name, kind, ..)| (*name, *kind))
        .collect();
    let full: Vec<_> = columns.iter().map(|(_, _, cell, _)| cell.clone()).collect();
    let nothing: Vec<_> = columns
        .iter()
        .map(|(_, kind, ..)| match kind {
            Type::TinyInt | Type::BigInt => Cell::Int(1),
            _ => Cell::Null,
        })
        .collect();
    // Rows come in two forms by turns.
    let table = Table::new(&heads)
        .row(full.clone())
        .row(nothing.clone())
        .row(nothing)
        .row(full);
    let mut connection = connection(move |session| {
        session.send(&table.tokens())?;
        session.end(End::Well)
    });
    let rows = ask(connection.as_mut()).unwrap();
    assert_eq!(rows.len(), 4);
    for (name, kind, _, value) in &columns {
        for row in [&rows[0], &rows[3]] {
            assert_eq!(row.value(name), Some(value), "{name}");
        }
        for row in [&rows[1], &rows[2]] {
            let expected = match kind {
                Type::TinyInt | Type::BigInt => Value::Integer(1),
                _ => Value::Null,
            };
            assert_eq!(row.value(name), Some(&expected), "{name}");
        }
    }
}

#[test]
fn what_the_server_tells_is_heard_while_the_statement_runs() {
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let mut connection = connection(move |session| {
        let receiver = receiver.lock().unwrap();
        for percent in [5, 10, 15] {
            session.send(&info(3211, &format!("{percent} percent processed.")))?;
            // It goes on only when that was heard.
            let text: String = receiver.recv_timeout(LONG).unwrap();
            assert_eq!(text, format!("{percent} percent processed."));
        }
        session.send(&info(4035, "Processed 7 pages for database 'x'."))?;
        session.end(End::Well)
    });
    let mut all = Vec::new();
    connection
        .execute(&work(), None, &Cancel::new(), &mut |info| {
            all.push(info.message.clone());
            let _last_one_is_not_awaited = sender.send(info.message.clone());
        })
        .unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all[3], "Processed 7 pages for database 'x'.");
}

#[test]
fn an_error_has_number_state_and_what_followed_and_the_connection_lives_on() {
    let mut connection = connection(|session| {
        session.send(&info(3211, "5 percent processed."))?;
        session.send(&error(
            3202,
            2,
            "Write on \"x\" failed: 112(There is not enough space.)",
        ))?;
        session.send(&error(
            3013,
            1,
            "BACKUP DATABASE is terminating abnormally.",
        ))?;
        session.end(End::Badly)
    });
    for _ in 0..2 {
        let ExecuteError::Server(error) = ask(connection.as_mut()).unwrap_err() else {
            panic!("not the server's error");
        };
        assert_eq!((error.number, error.state, error.severity), (3202, 2, 16));
        assert!(error.message.starts_with("Write on \"x\" failed"));
        assert_eq!(error.followed_by.len(), 1);
        assert_eq!(error.followed_by[0].number, Some(3013));
    }
}

/// A server that works until it is told to stop, and tells what it was told.
fn stoppable() -> (Box<dyn Connection>, Receiver<bool>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let connection = connection(move |session| {
        session.send(&info(3211, "5 percent processed."))?;
        let stopped = session.attention(LONG)?;
        tell.lock().unwrap().send(stopped).unwrap();
        session.end(End::Cancelled)
    });
    (connection, told)
}

#[test]
fn a_statement_is_cancelled_from_another_thread() {
    let (mut connection, told) = stoppable();
    let cancel = Cancel::new();
    let other = cancel.clone();
    let result = connection.execute(&work(), None, &cancel, &mut |_| {
        let other = other.clone();
        thread::spawn(move || other.cancel());
    });
    assert!(matches!(result, Err(ExecuteError::Cancelled)), "{result:?}");
    assert!(told.recv_timeout(LONG).unwrap(), "the server was not told");
    // Nobody knows what the next answer would belong to.
    assert!(matches!(
        ask(connection.as_mut()),
        Err(ExecuteError::Lost { .. })
    ));
}

#[test]
fn a_statement_that_was_cancelled_before_is_stopped_at_once() {
    let (mut connection, told) = stoppable();
    let cancel = Cancel::new();
    cancel.cancel();
    let result = connection.execute(&work(), None, &cancel, &mut |_| {});
    assert!(matches!(result, Err(ExecuteError::Cancelled)), "{result:?}");
    assert!(told.recv_timeout(LONG).unwrap());
}

#[test]
fn a_question_that_takes_too_long_is_stopped() {
    let (mut connection, told) = stoppable();
    let limit = Duration::from_millis(50);
    let result = connection.execute(&work(), Some(limit), &Cancel::new(), &mut |_| {});
    assert!(
        matches!(result, Err(ExecuteError::TimedOut { .. })),
        "{result:?}"
    );
    assert!(told.recv_timeout(LONG).unwrap());
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_an_error() {
    let mut connection = connection(|session| {
        session.send(&info(3211, "5 percent processed."))?;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    let result = ask(connection.as_mut());
    assert!(
        matches!(result, Err(ExecuteError::Lost { .. })),
        "{result:?}"
    );
}

#[test]
fn nonsense_in_the_middle_is_an_error() {
    for nonsense in [
        vec![0x00],
        vec![0xaa, 0xff, 0xff, 1],
        vec![0x81, 1, 0, 9, 9],
    ] {
        let mut connection = connection(move |session| {
            session.send(&nonsense)?;
            session.end(End::Well)
        });
        let result = connection.execute(
            &work(),
            Some(Duration::from_secs(2)),
            &Cancel::new(),
            &mut |_| {},
        );
        let lost = matches!(
            result,
            Err(ExecuteError::Lost { .. } | ExecuteError::TimedOut { .. })
        );
        assert!(lost, "{result:?}");
    }
}
