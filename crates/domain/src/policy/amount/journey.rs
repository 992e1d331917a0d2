//! A flat amount for each passenger, by the length of the journey and the delay on arrival.
//!
//! Regulation (EC) 261/2004, articles 5 and 7: 250, 400 or 600 EUR for a delay of three hours or more; half where a long
//! journey arrives less late. The first band that holds the journey counts.

use super::{Draft, Given, Value};
use crate::money::{Currency, Money};
use crate::policy::error::Refusal;
use crate::policy::reader::Section;
use crate::rounding::Exact;

/// Amounts by distance, from a delay on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByDistance {
    from_delay_minutes: u32,
    bands: Vec<Band>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Band {
    /// The greatest distance; none for all.
    up_to_km: Option<u32>,
    /// Whether it is for journeys within the Union alone.
    intra_eu: bool,
    each: Money,
    /// Up to which delay half of it is given.
    halved_up_to_minutes: Option<u32>,
}

impl ByDistance {
    pub(super) fn read(section: &Section<'_, '_>, currency: Currency) -> Option<ByDistance> {
        let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        let from_delay_minutes = small(section.whole("from_delay_minutes", "180"));
        let example = "[{ up_to_km = 1500, each = \"250.00\" }, { each = \"600.00\" }]";
        let tables = section.sections("bands", example);
        let (count, mut bands, mut sound) =
            (tables.len(), Vec::new(), count_is_sound(section, tables.len(), example));
        for (place, table) in tables.into_iter().enumerate() {
            let up_to_km = small(table.optional_whole("up_to_km", "1500"));
            let intra_eu = table.optional_choice("within", &[("union", true)]).unwrap_or(false);
            let halved_up_to_minutes = small(table.optional_whole("halved_up_to_minutes", "240"));
            let each = table.money("each", currency);
            let catches_all = up_to_km.is_none() && !intra_eu;
            let last = place + 1 == count;
            if last && !catches_all {
                table.fault(
                    "up_to_km",
                    "longer journeys have no amount",
                    "end with a band without bounds",
                );
            }
            if !last && catches_all {
                table.fault("each", "the bands after this one can never hold", "put it last");
            }
            table.finish();
            match each {
                Some(each) => bands.push(Band { up_to_km, intra_eu, each, halved_up_to_minutes }),
                None => sound = false,
            }
        }
        let from_delay_minutes = from_delay_minutes?;
        sound.then_some(ByDistance { from_delay_minutes, bands })
    }

    pub(super) fn drafts(&self, given: &Given<'_>) -> Result<Vec<Draft>, Refusal> {
        let Some(journey) = given.view.seen.journey else { return Ok(Vec::new()) };
        let delay = journey.delay_minutes;
        let length = format!("{} km, {} h {:02} late", journey.distance_km, delay / 60, delay % 60);
        let draft = |text: String, quantity: String, rate: String, value| {
            vec![Draft { text, quantity, unit: given.unit_name, rate, grade: None, value }]
        };
        if delay < self.from_delay_minutes {
            let text = format!("{length}, less than {} minutes", self.from_delay_minutes);
            let nothing = Value::Nothing("DELAY_TOO_SHORT");
            return Ok(draft(text, String::new(), String::new(), nothing));
        }
        let holds = |band: &&Band| {
            band.up_to_km.is_none_or(|most| journey.distance_km <= most)
                && (!band.intra_eu || journey.intra_eu)
        };
        let Some(band) = self.bands.iter().find(holds) else { return Ok(Vec::new()) };
        let halved = band.halved_up_to_minutes.is_some_and(|most| delay <= most);
        let out_of_range = Refusal::out_of_range(&given.rule.id);
        let rate = given.multiplied(band.each)?.over(if halved { 2 } else { 1 });
        let rate = given.unit_amount(rate.map_err(&out_of_range)?)?;
        let count = i64::try_from(given.units.len()).unwrap_or(i64::MAX);
        let exact = rate.times(Exact::whole(count)).map_err(&out_of_range)?;
        let half = if halved { "; half, as it arrived within the bound" } else { "" };
        let text = format!("{length}{half}{}", given.factor_text);
        let rate = rate.amount(given.currency.exponent());
        Ok(draft(text, count.to_string(), rate, Value::Money(exact)))
    }
}

fn count_is_sound(section: &Section<'_, '_>, count: usize, example: &str) -> bool {
    if count == 0 {
        section.fault("formula", "there are no bands", format!("write bands = {example}"));
    }
    count > 0
}
