//! What the subscriber's stream takes and refuses.

use super::*;
use crate::decider::check;
use crate::roster::tests::row;

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn profile(plan: &str) -> Arc<Profile> {
    let mut profile = (*row("p", "s").profile).clone();
    profile.plan = plan.into();
    Arc::new(profile)
}

/// A person with one subscription, `s`, since 1 September 2022.
fn base() -> Base {
    let holding = Holding::begin(7, profile("plus-5gb"), at("2022-09-01T00:00:00Z"), None);
    Base { holdings: BTreeMap::from([("s".to_owned(), holding)]), ..Base::default() }
}

#[track_caller]
fn asks(
    given: &[SubscriberEvent],
    ask: Ask,
    then: Result<Option<SubscriberEvent>, SubscriberRejection>,
) {
    check::<Subscriber>(given, &SubscriberCommand { base: base(), ask }, then);
}

fn change(plan: &str, when: &str) -> Ask {
    Ask::ChangePlan { subscription: "s".into(), profile: profile(plan), changed_at: at(when) }
}

fn changed(plan: &str, when: &str) -> SubscriberEvent {
    SubscriberEvent::PlanChanged {
        subscription: "s".into(),
        profile: profile(plan),
        changed_at: at(when),
    }
}

fn end(when: &str) -> Ask {
    Ask::End { subscription: "s".into(), ended_at: at(when) }
}

fn ended(when: &str) -> SubscriberEvent {
    SubscriberEvent::SubscriptionEnded { subscription: "s".into(), ended_at: at(when) }
}

const JANUARY: &str = "2023-01-25T00:00:00Z";
const FEBRUARY: &str = "2023-02-01T00:00:00Z";

#[test]
fn a_plan_changes_and_ends() {
    asks(&[], change("plus-1tb", JANUARY), Ok(Some(changed("plus-1tb", JANUARY))));
    asks(&[], change("plus-5gb", JANUARY), Ok(None));
    asks(&[], end(JANUARY), Ok(Some(ended(JANUARY))));
    asks(&[changed("plus-1tb", JANUARY)], end(FEBRUARY), Ok(Some(ended(FEBRUARY))));
}

#[test]
fn a_subscription_begins_again_after_its_end() {
    let back = Ok(Some(changed("plus-5gb", FEBRUARY)));
    asks(&[ended(JANUARY)], change("plus-5gb", FEBRUARY), back);
}

#[test]
fn history_is_not_rewritten() {
    let (january, february) = (at(JANUARY), at(FEBRUARY));
    let early = SubscriberRejection::NotAfterLastChange { at: january, recorded_at: february };
    let history = [changed("plus-1tb", FEBRUARY)];
    asks(&history, change("plus-5gb", JANUARY), Err(early.clone()));
    asks(&history, end(JANUARY), Err(early));
    let ended_already = SubscriberRejection::EndedAlready { ended_at: january };
    asks(&[ended(JANUARY)], end(FEBRUARY), Err(ended_already));
    let before = SubscriberRejection::BeforeRecordedEnd { at: january, ended_at: february };
    asks(&[ended(FEBRUARY)], change("plus-1tb", JANUARY), Err(before));
}

#[test]
fn what_is_recorded_just_so_is_nothing_new() {
    let history = [changed("plus-1tb", JANUARY), changed("plus-5gb", FEBRUARY)];
    asks(&history, change("plus-1tb", JANUARY), Ok(None));
    asks(&[ended(JANUARY)], end(JANUARY), Ok(None));
}

#[test]
fn a_subscription_keeps_its_service_and_must_be_known() {
    let mut other = (*profile("free")).clone();
    other.service = "virgilio-mail".into();
    let ask = Ask::ChangePlan {
        subscription: "s".into(),
        profile: Arc::new(other),
        changed_at: at(JANUARY),
    };
    let refused = SubscriberRejection::OtherService {
        service: "libero-mail".into(),
        other: "virgilio-mail".into(),
    };
    asks(&[], ask, Err(refused));
    let unknown = SubscriberRejection::UnknownSubscription { subscription: "x".into() };
    asks(&[], Ask::End { subscription: "x".into(), ended_at: at(JANUARY) }, Err(unknown));
}

#[test]
fn a_further_subscription_starts_once() {
    let start = |number| Ask::Start {
        subscription: "t".into(),
        number,
        profile: profile("free"),
        valid_from: at(JANUARY),
    };
    let started = SubscriberEvent::SubscriptionStarted {
        subscription: "t".into(),
        number: 9,
        profile: profile("free"),
        valid_from: at(JANUARY),
    };
    asks(&[], start(9), Ok(Some(started.clone())));
    let exists = SubscriberRejection::SubscriptionExists { subscription: "t".into(), number: 9 };
    asks(std::slice::from_ref(&started), start(10), Err(exists));
    let ask = Ask::End { subscription: "t".into(), ended_at: at(FEBRUARY) };
    let event =
        SubscriberEvent::SubscriptionEnded { subscription: "t".into(), ended_at: at(FEBRUARY) };
    asks(&[started], ask, Ok(Some(event)));
}

#[test]
fn contact_and_payee_are_set_where_they_differ() {
    let contact = Contact { email: Some("ada@example.org".into()), ..Contact::default() };
    let set = SubscriberEvent::ContactSet { contact: contact.clone() };
    asks(&[], Ask::SetContact { contact: contact.clone() }, Ok(Some(set.clone())));
    asks(&[], Ask::SetContact { contact: Contact::default() }, Ok(None));
    let back = Ok(Some(SubscriberEvent::ContactSet { contact: Contact::default() }));
    asks(&[set], Ask::SetContact { contact: Contact::default() }, back);
    let payee = Some(Payee { iban: "IT60X0542811101000000123456".into(), name: "Ada".into() });
    let paid = SubscriberEvent::PayeeSet { payee: payee.clone() };
    asks(&[], Ask::SetPayee { payee }, Ok(Some(paid.clone())));
    let none = Ok(Some(SubscriberEvent::PayeeSet { payee: None }));
    asks(&[paid], Ask::SetPayee { payee: None }, none);
}

#[test]
fn an_account_is_set_whole_where_it_differs() {
    let ask = |account| Ask::SetAccount { subscription: "s".into(), account };
    let set = |account| SubscriberEvent::AccountSet { subscription: "s".into(), account };
    let late = Account { in_arrears: true, quota_bytes: Some(1), ..Account::default() };
    asks(&[], ask(Account::default()), Ok(None));
    asks(&[], ask(late), Ok(Some(set(late))));
    let paid = Account { in_arrears: false, ..late };
    asks(&[set(late)], ask(paid), Ok(Some(set(paid))));
    asks(&[set(late), set(paid)], ask(late), Ok(Some(set(late))));
    let unknown = SubscriberRejection::UnknownSubscription { subscription: "x".into() };
    asks(&[], Ask::SetAccount { subscription: "x".into(), account: late }, Err(unknown));
}

#[test]
fn nobody_has_no_contact() {
    let ask = Ask::SetContact { contact: Contact::default() };
    let command = SubscriberCommand { base: Base::default(), ask };
    check::<Subscriber>(&[], &command, Err(SubscriberRejection::UnknownSubscriber));
}

#[test]
fn trouble_is_reported_once_for_each_time_and_component() {
    let report = |component: Option<&str>| Ask::ReportTrouble {
        subscription: "s".into(),
        component: component.map(str::to_owned),
        reported_at: at(JANUARY),
    };
    let reported = |component: Option<&str>| SubscriberEvent::TroubleReported {
        subscription: "s".into(),
        component: component.map(str::to_owned),
        reported_at: at(JANUARY),
    };
    asks(&[], report(None), Ok(Some(reported(None))));
    asks(&[reported(None)], report(Some("imap")), Ok(Some(reported(Some("imap")))));
    let unknown = SubscriberRejection::UnknownSubscription { subscription: "x".into() };
    let ask =
        Ask::ReportTrouble { subscription: "x".into(), component: None, reported_at: at(JANUARY) };
    asks(&[], ask, Err(unknown));
}
