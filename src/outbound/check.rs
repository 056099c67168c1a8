//! Rules that can't be kept: seen when the settings are read, not when the first order waits for ever.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rules::Rules;
use crate::call::Order;
use crate::config::{Config, Preset};
use crate::ident::{CallId, Phone};

/// Every impossible rule, each with its key, its line and the mend.
pub fn faults(config: &Config, now: Timestamp) -> Vec<String> {
    let l = config.language;
    let rules = Rules::from_config(config, TimeZone::UTC);
    // A number that tells its zone, and one that doesn't.
    let (Ok(id), Ok(landline), Ok(mobile)) = (
        CallId::parse("check"),
        Phone::parse("+74951234567"),
        Phone::parse("+79001234567"),
    ) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for (n, set) in config.rules.sets.iter().enumerate() {
        let line = l.pick(
            format!("rules.sets[{n}] ({}, строка {})", set.name, set.line),
            format!("rules.sets[{n}] ({}, line {})", set.name, set.line),
        );
        let opens = |phone: &Phone| {
            let mut order = Order::simple(id.clone(), phone.clone(), "");
            order.rules = Some(set.name.clone());
            rules.ever_opens(&order, now)
        };
        if !opens(&landline) {
            faults.push(match set.preset {
                Preset::None => l.pick(
                    format!("{line}: hours: в ближайшие 40 дней звонить нельзя ни часа; проверьте часы и holidays"),
                    format!("{line}: hours: there is no hour to call within 40 days; check the hours and holidays"),
                ),
                Preset::Debt230Fz => l.pick(
                    format!("{line}: hours: с часами закона (preset) нет ни одного общего часа; поправьте часы или уберите их"),
                    format!("{line}: hours: they have no hour in common with the law's (preset); mend the hours or take them out"),
                ),
            });
        } else if !opens(&mobile) {
            faults.push(l.pick(
                format!(
                    "{line}: hours: мобильным и прочим номерам без пояса не позвонить никогда: нет часа, когда можно во всех поясах rules.unknown_zone ({}); \
                     расширьте часы, задайте unknown_zone: Europe/Moscow или пояс в самих заказах (zone)",
                    config.rules.unknown_zones.join(", ")
                ),
                format!(
                    "{line}: hours: mobile numbers and others without a zone can never be called: there is no hour that is one in all of rules.unknown_zone ({}); \
                     widen the hours, set unknown_zone: Europe/Moscow, or give zone in the orders",
                    config.rules.unknown_zones.join(", ")
                ),
            ));
        }
        if set.attempts == Some(1) && !set.retries.is_empty() {
            faults.push(l.pick(
                format!("{line}: attempts: с одной попыткой повторов (retries) не будет; уберите attempts или увеличьте"),
                format!("{line}: attempts: with one attempt there are no retries; take attempts out or make it more"),
            ));
        }
    }
    faults
}
