//! Feed files: a small sample of our own, and the real ones where they are.

use std::path::Path;

use ristoro_domain::facts::Severity;
use ristoro_domain::outage::StatedImpact;
use ristoro_domain::signal::{DerivedOutage, DerivedState, Warning, derive};
use serde_json::json;

use super::*;

const SAMPLE: &[u8] = include_bytes!("../../tests/feeds/google-cloud.json");

fn parse_sample(mapping: &str) -> Parsed {
    parse(Format::GoogleCloud, SAMPLE, &Mapping::parse(mapping).unwrap()).unwrap()
}

#[test]
fn a_google_cloud_feed_becomes_signals_and_names_what_it_cannot_read() {
    let parsed = parse_sample("");
    let ids: Vec<&str> = parsed.signals.iter().map(|signal| signal.source_id.as_str()).collect();
    assert_eq!(ids, ["closed", "open", "backwards", "strange"]);
    let places: Vec<&str> = parsed.problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(places, ["incidents[4].begin", "incidents[5]"]);
    let closed = &parsed.signals[0];
    assert_eq!(closed.provider, "google-cloud");
    assert_eq!(closed.components, ["cloud-pub-sub", "google-compute-engine"]);
    assert_eq!(closed.severity, Some(Severity::Total));
    assert_eq!(closed.began_at.to_string(), "2022-07-01T13:37:44Z");
}

#[test]
fn a_mapping_renames_and_drops_components() {
    let mapping = r#"
        provider = "example"
        service = "cloud"
        unmapped = "drop"
        [components]
        "Google Compute Engine" = "compute"
    "#;
    let parsed = parse_sample(mapping);
    assert_eq!(parsed.signals[0].provider, "example");
    assert_eq!(parsed.signals[0].service.as_deref(), Some("cloud"));
    assert_eq!(parsed.signals[0].components, ["compute"]);
    let error = Mapping::parse("provder = \"x\"").unwrap_err().to_string();
    assert!(error.contains("provder"), "{error}");
}

#[test]
fn signals_become_outages_and_what_contradicts_itself_a_warning() {
    let outages = derive("google-cloud", &parse_sample("").signals);
    let states: Vec<DerivedState> = outages.iter().map(|outage| outage.state).collect();
    use DerivedState::{Open, Resolved, Unclear};
    assert_eq!(states, [Resolved, Open, Unclear, Unclear]);
    assert!(matches!(outages[2].warnings[..], [Warning::EndNotAfterBegin { .. }]));
    assert_eq!(outages[3].warnings, [Warning::NoSeverity]);
    let expected = json!({
        "source": "google-cloud",
        "source_id": "open",
        "title": "Cloud Run deployments fail",
        "impacts": [{"component": "cloud-run", "severity": "degraded",
            "from": "2022-06-30T18:12:00Z", "to": null}],
        "declared": {"from": "2022-06-30T18:12:00Z", "to": null},
        "observed": null,
        "state": "open",
        "warnings": [],
    });
    assert_eq!(to_json(&outages[1]), expected);
}

#[test]
fn what_is_no_feed_is_refused_with_its_place() {
    let error = parse(Format::GoogleCloud, b"{\"a\": 1}", &Mapping::default()).unwrap_err();
    assert!(error.to_string().starts_with("this is no google-cloud feed: "), "{error}");
}

/// The real file's figures: 157 incidents, all closed, 20 of them total.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn the_real_google_cloud_feed_is_read_whole() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/google-cloud/incidents.json");
    if !Path::new(path).exists() {
        eprintln!("skipped: {path} is not there");
        return;
    }
    let file = std::fs::read(path).unwrap();
    let parsed = parse(Format::GoogleCloud, &file, &Mapping::default()).unwrap();
    assert_eq!((parsed.signals.len(), parsed.problems.len()), (157, 0));
    let total = parsed.signals.iter().filter(|signal| signal.severity == Some(Severity::Total));
    assert_eq!(total.count(), 20);
    let outages = derive("google-cloud", &parsed.signals);
    assert_eq!(outages.len(), 157);
    assert!(outages.iter().all(|outage| outage.state == DerivedState::Resolved));
    assert!(outages.iter().all(|outage| outage.warnings.is_empty()));
    let impacts: usize = outages.iter().map(|outage| outage.impacts.len()).sum();
    let named: usize = parsed.signals.iter().map(|signal| signal.components.len()).sum();
    assert_eq!(impacts, named);
}

/// An impact on a line: component, severity, and the minutes of its window.
fn lines(outage: &DerivedOutage) -> Vec<String> {
    let line = |impact: &StatedImpact| {
        let time = |at: Instant| at.strftime("%H:%M").to_string();
        let to = impact.window.to.map_or_else(|| "on".to_owned(), time);
        format!("{} {:?} {}-{to}", impact.component, impact.severity, time(impact.window.from))
    };
    outage.impacts.iter().map(line).collect()
}

fn derive_sample(format: Format, file: &[u8]) -> (Vec<DerivedOutage>, Vec<String>) {
    let parsed = parse(format, file, &Mapping::default()).unwrap();
    let problems = parsed.problems.iter().map(ToString::to_string).collect();
    (derive("feed", &parsed.signals), problems)
}

#[test]
fn a_statuspage_gives_each_component_its_own_windows_whatever_the_order() {
    let file = include_bytes!("../../tests/feeds/statuspage.json");
    let (outages, problems) = derive_sample(Format::Statuspage, file);
    assert!(problems.is_empty());
    let expected =
        ["imap Degraded 09:50-11:00", "imap Total 11:00-12:00", "webmail Degraded 09:50-12:00"];
    assert_eq!(lines(&outages[0]), expected);
    assert_eq!(lines(&outages[1]), ["webmail Total 10:00-on"], "reopened after its resolution");
    assert!(matches!(outages[2].warnings[..], [Warning::EndNotAfterBegin { .. }]));
    assert_eq!(outages[3].warnings, [Warning::NoSeverity]);
    assert!(lines(&outages[2]).is_empty() && lines(&outages[3]).is_empty());
}

#[test]
fn alerts_become_measured_outages() {
    let file = include_bytes!("../../tests/feeds/alertmanager.json");
    let (outages, problems) = derive_sample(Format::Alertmanager, file);
    assert_eq!(lines(&outages[0]), ["webmail-probe Total 09:00-on"]);
    assert_eq!(lines(&outages[1]), ["imap Degraded 08:00-08:30"]);
    assert_eq!(outages[0].title, "The webmail does not answer");
    assert!(outages.iter().all(|outage| outage.declared.is_none() && outage.observed.is_some()));
    assert_eq!(problems, ["alerts[2].status: is \"pending\", not firing or resolved"]);
}

#[test]
fn an_endpoint_s_unhealthy_stretches_become_outages() {
    let file = include_bytes!("../../tests/feeds/gatus.json");
    let (outages, problems) = derive_sample(Format::Gatus, file);
    let all: Vec<Vec<String>> = outages.iter().map(lines).collect();
    assert_eq!(all, [["webmail Total 10:00-10:30"], ["webmail Total 12:00-on"]]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("endpoints[1].events[0].type: "));
}
