//! The exit codes of failures: 2 usage, 69 somebody does not answer, 78 the configuration; all others are 1.

use std::error::Error;

use ristoro_log::LogError;
use ristoro_runtime::config::{ConfigError, ConnectError};
use ristoro_runtime::grpc::{PrincipalsError, ServeError};
use ristoro_runtime::service::StartError;
use ristoro_runtime::service::run::RunError;

use crate::verbs::log::OperateError;

const USAGE: u8 = 2;
const UNAVAILABLE: u8 = 69;
const CONFIGURATION: u8 = 78;

/// Gives the exit code of one error of a chain, where it has one of its own.
pub fn code(error: &(dyn Error + 'static)) -> Option<u8> {
    if error.is::<ConfigError>()
        || error.is::<PrincipalsError>()
        || error.is::<ristoro_notifier::settings::SettingsError>()
    {
        return Some(CONFIGURATION);
    }
    if let Some(error) = error.downcast_ref::<OperateError>() {
        return Some(match error {
            OperateError::Usage(_) => USAGE,
            OperateError::NoLog { .. } => UNAVAILABLE,
        });
    }
    if let Some(error) = error.downcast_ref::<ristoro_local::Error>() {
        return Some(if matches!(error, ristoro_local::Error::Data { .. }) {
            CONFIGURATION
        } else {
            UNAVAILABLE
        });
    }
    let connect = error.downcast_ref::<ConnectError>().map(of_connect);
    let log = error.downcast_ref::<LogError>().map(of_log);
    connect.or(log).or_else(|| error.downcast_ref::<RunError>().and_then(of_run))
}

fn of_run(error: &RunError) -> Option<u8> {
    match error {
        RunError::Serve(
            ServeError::Principals(_) | ServeError::InUse { .. } | ServeError::Listen { .. },
        ) => Some(CONFIGURATION),
        RunError::Connect(error) => Some(of_connect(error)),
        RunError::Log(error) | RunError::Start(StartError::Log(error)) => Some(of_log(error)),
        RunError::Serve(_) | RunError::Start(_) | RunError::Loop(_) | RunError::Address(_) => None,
    }
}

fn of_connect(error: &ConnectError) -> u8 {
    match error {
        ConnectError::Malformed
        | ConnectError::Refused { .. }
        | ConnectError::NoDatabase { .. } => CONFIGURATION,
        ConnectError::Unreachable { .. } | ConnectError::Other { .. } => UNAVAILABLE,
    }
}

fn of_log(error: &LogError) -> u8 {
    match error {
        LogError::Unavailable(_) => UNAVAILABLE,
        LogError::Missing { .. } | LogError::Foreign(_) => CONFIGURATION,
        LogError::TooLarge { .. } => 1,
    }
}
