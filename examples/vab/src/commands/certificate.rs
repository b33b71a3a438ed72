//! `vab certificate`

use std::process::ExitCode;

use vab_manager::certificates::NewCertificates;
use vab_manager::{Clock, SystemClock};

use super::Failure;
use crate::args::DEFAULT_LISTEN;
use crate::args::certificate::{CertificateArguments, CertificateCommand};
use crate::print::out::outln;

pub(crate) fn run(arguments: CertificateArguments) -> Result<ExitCode, Failure> {
    let CertificateCommand::New(arguments) = arguments.command;
    let host = arguments.names.first().cloned();
    let mut new = NewCertificates::default();
    new.names = arguments.names;
    new.days = arguments.days;
    let made = new.make(&arguments.folder, SystemClock.now())?;
    let port = DEFAULT_LISTEN.rsplit(':').next().unwrap_or("9420");
    let server = host.map_or_else(
        || DEFAULT_LISTEN.to_owned(),
        |host| format!("{host}:{port}"),
    );
    outln!(
        "made for {} days, in {}:",
        arguments.days,
        arguments.folder.display()
    );
    outln!("  on the server: ca.pem, server.pem, server-key.pem");
    outln!("  on each source: ca.pem, client.pem, client-key.pem");
    outln!("  in a safe place: ca-key.pem; whoever has it is let in");
    outln!("the server's fingerprint is {}", made.fingerprint);
    outln!("");
    outln!(
        "vab serve --repository DIR --listen 0.0.0.0:{port} --tls-cert {} --tls-key {} --client-ca {}",
        made.server.display(),
        made.server_key.display(),
        made.authority.display(),
    );
    outln!(
        "vab list --server {server} --tls-ca {} --tls-cert {} --tls-key {}",
        made.authority.display(),
        made.client.display(),
        made.client_key.display(),
    );
    Ok(ExitCode::SUCCESS)
}
