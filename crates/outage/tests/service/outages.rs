//! Outages as callers declare, amend and read them.

use crate::support::{Running, as_anna, as_bo, assert_refused, fresh_id, start};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::outage::v1 as api;
use tonic::Status;

fn local(text: &str) -> Option<api::PointInTime> {
    let at = Some(api::point_in_time::At::LocalTime(text.to_owned()));
    Some(api::PointInTime { at })
}

fn window(from: &str, to: Option<&str>) -> Option<api::WindowInput> {
    Some(api::WindowInput { from: local(from), to: to.and_then(local) })
}

fn impact(component: &str, from: &str, to: Option<&str>) -> api::ImpactInput {
    api::ImpactInput {
        component: component.to_owned(),
        severity: api::Severity::Total.into(),
        window: window(from, to),
        ..Default::default()
    }
}

fn declaration(outage: &str) -> api::DeclareOutageRequest {
    api::DeclareOutageRequest {
        request_id: fresh_id(),
        outage: outage.to_owned(),
        provider: "italiaonline".to_owned(),
        title: "Posta non raggiungibile".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        declared: window("2023-01-23", None),
        observed: window("2023-01-22T22:00:00", None),
        impacts: vec![impact("mailbox", "2023-01-23", None)],
        ..Default::default()
    }
}

fn restoration(
    whom: api::restore_impact_request::Whom,
    restored_at: &str,
) -> api::RestoreImpactRequest {
    api::RestoreImpactRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        impact: "mailbox".to_owned(),
        restored_at: local(restored_at),
        whom: Some(whom),
        ..Default::default()
    }
}

fn resolution(resolved_at: &str) -> api::ResolveOutageRequest {
    api::ResolveOutageRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        resolved_at: local(resolved_at),
        ..Default::default()
    }
}

async fn declare(running: &Running, outage: &str) -> api::Outage {
    let answer = running.outages().declare_outage(as_anna(declaration(outage))).await.unwrap();
    answer.into_inner().outage.unwrap()
}

async fn get(running: &Running, min_position: &str) -> api::Outage {
    let (name, min_position) = ("outages/o1".to_owned(), min_position.to_owned());
    let request = api::GetOutageRequest { name, min_position };
    let answer = running.outages().get_outage(as_anna(request)).await.unwrap().into_inner();
    assert!(!answer.as_of.unwrap().positions.is_empty());
    answer.outage.unwrap()
}

fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outage_of_january_2023_is_told_as_it_happened() {
    use api::restore_impact_request::Whom;
    let running = start().await;
    let mut outages = running.outages();
    let declared = declare(&running, "o1").await;
    assert_eq!((declared.name.as_str(), declared.etag.as_str()), ("outages/o1", "1"));
    let begin = declared.declared.unwrap().from.unwrap().seconds;
    assert_eq!(begin, seconds("2023-01-22T23:00:00Z"));

    let cohort = restoration(Whom::Cohort("first".to_owned()), "2023-01-26T14:45:00");
    outages.restore_impact(as_anna(cohort)).await.unwrap();
    let subscriptions = vec!["m2".to_owned(), "m1".to_owned()];
    let single = Whom::Mailboxes(api::Mailboxes { subscriptions });
    outages.restore_impact(as_anna(restoration(single, "2023-01-27T10:00:00"))).await.unwrap();
    let answer = outages.resolve_outage(as_anna(resolution("2023-01-28T18:00:00"))).await.unwrap();
    let answer = answer.into_inner();

    let outage = get(&running, &answer.consistency_token).await;
    assert_eq!(outage, answer.outage.unwrap());
    assert_eq!(outage.state(), api::OutageState::Resolved);
    assert_eq!(outage.etag, "4");
    let mail = &outage.impacts[0];
    let end = mail.window.as_ref().unwrap().to.as_ref().unwrap().seconds;
    assert_eq!(end, seconds("2023-01-28T17:00:00Z"));
    assert_eq!(mail.cohorts[0].cohort, "first");
    assert_eq!(mail.mailbox_restorations, 2);

    let reopening = api::ReopenOutageRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        reopened_at: local("2023-02-03T12:00:00"),
        impacts: vec![api::ImpactInput {
            impact: "relapse".to_owned(),
            ..impact("mailbox", "2023-02-03T12:00:00", Some("2023-02-03T12:10:00"))
        }],
        note: "a relapse of a few minutes".to_owned(),
        ..Default::default()
    };
    let answer = outages.reopen_outage(as_anna(reopening)).await.unwrap().into_inner();
    assert_eq!(answer.outage.unwrap().impacts.len(), 2);

    let request = api::GetTimelineRequest { name: "outages/o1".to_owned(), ..Default::default() };
    let timeline = outages.get_timeline(as_anna(request)).await.unwrap().into_inner();
    let kinds: Vec<&str> = timeline.entries.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = [
        "OutageDeclared",
        "ImpactRestored",
        "MailboxesRestored",
        "OutageResolved",
        "OutageReopened",
    ];
    assert_eq!(kinds, expected);
    assert!(timeline.entries.iter().all(|entry| entry.actor == "anna"));
    assert_eq!(timeline.entries[2].text, "mailbox restored for 2 mailboxes");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_effect_once_and_a_stale_etag_loses() {
    let running = start().await;
    let mut outages = running.outages();
    let request = declaration("o1");
    let only = api::DeclareOutageRequest { validate_only: true, ..request.clone() };
    let answer = outages.declare_outage(as_anna(only)).await.unwrap().into_inner();
    assert_eq!(answer.consistency_token, "");
    assert_eq!(answer.outage.unwrap().title, request.title);
    let request_of =
        |name: &str| api::GetOutageRequest { name: name.to_owned(), ..Default::default() };
    let answer = outages.get_outage(as_anna(request_of("outages/o1"))).await;
    assert_refused(answer, ErrorReason::ResourceNotFound);

    let first = outages.declare_outage(as_anna(request.clone())).await.unwrap().into_inner();
    let again = outages.declare_outage(as_anna(request)).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = api::DeclareOutageRequest { title: "Other".to_owned(), ..declaration("o1") };
    assert_refused(outages.declare_outage(as_anna(other)).await, ErrorReason::ResourceExists);

    outages.resolve_outage(as_anna(resolution("2023-01-28"))).await.unwrap();
    let stale = api::WithdrawOutageRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        etag: "1".to_owned(),
        note: "a drill".to_owned(),
        ..Default::default()
    };
    let answer = outages.withdraw_outage(as_anna(stale.clone())).await;
    assert_refused(answer, ErrorReason::VersionConflict);
    let fresh = api::WithdrawOutageRequest { etag: "2".to_owned(), ..stale };
    outages.withdraw_outage(as_anna(fresh)).await.unwrap();
    let answer = outages.resolve_outage(as_anna(resolution("2023-01-29"))).await;
    assert_refused(answer, ErrorReason::OutageWithdrawn);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_reason() {
    let running = start().await;
    let mut outages = running.outages();
    declare(&running, "o1").await;
    let add = |component: &str, from: &str, to: Option<&str>| api::AddImpactRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        impact: Some(impact(component, from, to)),
        ..Default::default()
    };
    let cases = [
        (add("app", "2023-10-29T02:30:00", None), ErrorReason::AmbiguousLocalTime),
        (add("app", "2023-03-26T02:30:00", None), ErrorReason::AbsentLocalTime),
        (add("app", "yesterday", None), ErrorReason::InvalidField),
        (add("app", "2023-01-24", Some("2023-01-23")), ErrorReason::InvalidField),
        (add("", "2023-01-24", None), ErrorReason::InvalidField),
        (add("mailbox", "2023-01-24", None), ErrorReason::ImpactIdTaken),
    ];
    for (request, reason) in cases {
        assert_refused(outages.add_impact(as_anna(request)).await, reason);
    }
    let everyone = api::restore_impact_request::Whom::Everyone(api::Everyone {});
    let early = restoration(everyone.clone(), "2023-01-22");
    assert_refused(outages.restore_impact(as_anna(early)).await, ErrorReason::ContradictoryTime);
    let other = api::RestoreImpactRequest {
        impact: "app".to_owned(),
        ..restoration(everyone, "2023-01-24")
    };
    assert_refused(outages.restore_impact(as_anna(other)).await, ErrorReason::ImpactUnknown);
    let of = |count: usize, length: usize| {
        let subscriptions = (0..count).map(|number| format!("{number:0length$}")).collect();
        api::restore_impact_request::Whom::Mailboxes(api::Mailboxes { subscriptions })
    };
    for (count, length) in [(0, 10), (10_001, 10), (10_000, 100)] {
        let request = restoration(of(count, length), "2023-01-24");
        assert_refused(outages.restore_impact(as_anna(request)).await, ErrorReason::InvalidField);
    }
    outages.restore_impact(as_anna(restoration(of(10_000, 70), "2023-01-24"))).await.unwrap();
    let answer = outages.declare_outage(as_bo(declaration("o2"))).await;
    assert_refused(answer, ErrorReason::RoleMissing);
    running.end().await;
}

async fn listed(
    running: &Running,
    request: api::ListOutagesRequest,
) -> Result<Vec<String>, Status> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListOutagesRequest { page_size: 1, page_token, ..request.clone() };
        let page = running.outages().list_outages(as_anna(request)).await?.into_inner();
        names.extend(page.outages.into_iter().map(|outage| outage.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(names);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_are_listed_by_provider_state_and_time() {
    let running = start().await;
    declare(&running, "o1").await;
    let other = api::DeclareOutageRequest {
        provider: "other".to_owned(),
        declared: window("2023-02-01", None),
        observed: None,
        impacts: vec![impact("internet", "2023-02-01", Some("2023-02-02"))],
        ..declaration("o/2")
    };
    running.outages().declare_outage(as_anna(other)).await.unwrap();
    running.outages().resolve_outage(as_anna(resolution("2023-01-28"))).await.unwrap();

    let all = api::ListOutagesRequest::default();
    assert_eq!(listed(&running, all.clone()).await.unwrap(), ["outages/o%2F2", "outages/o1"]);
    let of = |provider: &str| api::ListOutagesRequest {
        provider: provider.to_owned(),
        ..Default::default()
    };
    assert_eq!(listed(&running, of("other")).await.unwrap(), ["outages/o%2F2"]);
    let state = api::OutageState::Resolved.into();
    let resolved = api::ListOutagesRequest { state, ..Default::default() };
    assert_eq!(listed(&running, resolved).await.unwrap(), ["outages/o1"]);
    let at = |text: &str| {
        let open_at = Some(prost_types::Timestamp { seconds: seconds(text), nanos: 0 });
        api::ListOutagesRequest { open_at, ..Default::default() }
    };
    assert_eq!(listed(&running, at("2023-01-25T00:00:00Z")).await.unwrap(), ["outages/o1"]);
    assert_eq!(listed(&running, at("2023-02-01T12:00:00Z")).await.unwrap(), ["outages/o%2F2"]);
    assert!(listed(&running, at("2023-01-30T00:00:00Z")).await.unwrap().is_empty());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_work_is_declared_with_its_notice_and_the_notice_is_corrected() {
    let running = start().await;
    let mut outages = running.outages();
    let planned = |cause: api::Cause| api::DeclareOutageRequest {
        cause: cause.into(),
        announced_at: local("2023-01-17T09:00:00"),
        ..declaration("o1")
    };
    let refused = outages.declare_outage(as_anna(planned(api::Cause::Fault))).await;
    assert_refused(refused, ErrorReason::InvalidField);
    let declared = outages.declare_outage(as_anna(planned(api::Cause::Planned))).await.unwrap();
    let announced_at = declared.into_inner().outage.unwrap().announced_at.unwrap();
    assert_eq!(announced_at.seconds, seconds("2023-01-17T08:00:00Z"));

    let cause = |cause: api::Cause| api::AmendOutageRequest {
        request_id: fresh_id(),
        name: "outages/o1".to_owned(),
        amendment: Some(api::amend_outage_request::Amendment::Cause(api::CauseInput {
            cause: cause.into(),
            announced_at: local("2023-01-15"),
            ..Default::default()
        })),
        ..Default::default()
    };
    let refused = outages.amend_outage(as_anna(cause(api::Cause::Customer))).await;
    assert_refused(refused, ErrorReason::InvalidField);
    let amended = outages.amend_outage(as_anna(cause(api::Cause::Planned))).await.unwrap();
    let amended = amended.into_inner();
    let known = get(&running, &amended.consistency_token).await;
    assert_eq!(known.announced_at.unwrap().seconds, seconds("2023-01-14T23:00:00Z"));
    assert_eq!(known.announced_at, amended.outage.unwrap().announced_at);
    running.end().await;
}
