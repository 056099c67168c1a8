//! Which time zone a number is in, by the numbering plan.
//!
//! A landline's area code names its region, and the region its zone. A mobile number names nobody's place: operators
//! have numbers in all regions, people move and take their numbers along, and the register of blocks is neither open to
//! be copied here nor true of where a person is. So mobile numbers, 8-800 and the like are [`Known::No`]: it has to be time
//! to call in all zones of `rules.unknown_zone`, unless the order itself tells the zone.
//!
//! The codes are those of the Russian numbering plan (order 142 of 17 November 2006 with its changes); zones are IANA's.
//! Checked against the time zones of libphonenumber 9.0.43: one differs, Saratov, which has its own clock since 2016.

use crate::ident::Phone;

/// What a number tells of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// These zones: more than one where a code's region has several, and it has to be time to call in each.
    Zones(&'static [&'static str]),
    /// A local or internal number: where we are.
    Here,
    /// Nothing.
    No,
}

/// Longest number without an area code, digits.
const LOCAL: usize = 7;

/// What `phone` tells of its place.
pub(super) fn of(phone: &Phone) -> Known {
    let key = phone.key();
    if key.len() <= LOCAL {
        return Known::Here;
    }
    if let (11, Some(rest)) = (key.len(), key.strip_prefix('7')) {
        let code = rest.get(..3).and_then(|code| code.parse().ok());
        return code.map_or(Known::No, area);
    }
    // Neighbours with one clock each. Longer codes come before shorter ones that begin them.
    NEIGHBOURS
        .iter()
        .find(|(code, _)| key.starts_with(code))
        .map_or(Known::No, |(_, zones)| Known::Zones(zones))
}

fn area(code: u16) -> Known {
    // Kazakhstan has one clock since 1 March 2024.
    if (600..800).contains(&code) {
        return Known::Zones(&["Asia/Almaty"]);
    }
    match AREAS.binary_search_by_key(&code, |(code, _)| *code) {
        Ok(at) => Known::Zones(AREAS[at].1),
        Err(_) => Known::No,
    }
}

const MOSCOW: &[&str] = &["Europe/Moscow"];
const SIMFEROPOL: &[&str] = &["Europe/Simferopol"];
const SAMARA: &[&str] = &["Europe/Samara"];
const YEKATERINBURG: &[&str] = &["Asia/Yekaterinburg"];
const BARNAUL: &[&str] = &["Asia/Barnaul"];
const KRASNOYARSK: &[&str] = &["Asia/Krasnoyarsk"];
const IRKUTSK: &[&str] = &["Asia/Irkutsk"];
const VLADIVOSTOK: &[&str] = &["Asia/Vladivostok"];
/// Three clocks under one code.
const YAKUTIA: &[&str] = &["Asia/Yakutsk", "Asia/Ust-Nera", "Asia/Srednekolymsk"];

/// Area codes of Russia, in their order.
const AREAS: &[(u16, &[&str])] = &[
    (301, IRKUTSK),                 // Buryatia
    (302, &["Asia/Chita"]),         // Zabaykalsky
    (336, &["Asia/Qyzylorda"]),     // Baikonur
    (341, SAMARA),                  // Udmurtia
    (342, YEKATERINBURG),           // Perm
    (343, YEKATERINBURG),           // Sverdlovsk
    (345, YEKATERINBURG),           // Tyumen
    (346, YEKATERINBURG),           // Khanty-Mansi
    (347, YEKATERINBURG),           // Bashkortostan
    (349, YEKATERINBURG),           // Yamalo-Nenets
    (351, YEKATERINBURG),           // Chelyabinsk
    (352, YEKATERINBURG),           // Kurgan
    (353, YEKATERINBURG),           // Orenburg
    (365, SIMFEROPOL),              // Crimea
    (381, &["Asia/Omsk"]),          // Omsk
    (382, &["Asia/Tomsk"]),         // Tomsk
    (383, &["Asia/Novosibirsk"]),   // Novosibirsk
    (384, &["Asia/Novokuznetsk"]),  // Kemerovo
    (385, BARNAUL),                 // Altai Krai
    (388, BARNAUL),                 // Altai
    (390, KRASNOYARSK),             // Khakassia
    (391, KRASNOYARSK),             // Krasnoyarsk
    (394, KRASNOYARSK),             // Tuva
    (395, IRKUTSK),                 // Irkutsk
    (401, &["Europe/Kaliningrad"]), // Kaliningrad
    (411, YAKUTIA),                 // Yakutia
    (413, &["Asia/Magadan"]),       // Magadan
    (415, &["Asia/Kamchatka"]),     // Kamchatka
    (416, &["Asia/Yakutsk"]),       // Amur
    (421, VLADIVOSTOK),             // Khabarovsk
    (423, VLADIVOSTOK),             // Primorye
    (424, &["Asia/Sakhalin"]),      // Sakhalin
    (426, VLADIVOSTOK),             // Jewish AO
    (427, &["Asia/Anadyr"]),        // Chukotka
    (471, MOSCOW),                  // Kursk
    (472, MOSCOW),                  // Belgorod
    (473, MOSCOW),                  // Voronezh
    (474, MOSCOW),                  // Lipetsk
    (475, MOSCOW),                  // Tambov
    (481, MOSCOW),                  // Smolensk
    (482, MOSCOW),                  // Tver
    (483, MOSCOW),                  // Bryansk
    (484, MOSCOW),                  // Kaluga
    (485, MOSCOW),                  // Yaroslavl
    (486, MOSCOW),                  // Oryol
    (487, MOSCOW),                  // Tula
    (491, MOSCOW),                  // Ryazan
    (492, MOSCOW),                  // Vladimir
    (493, MOSCOW),                  // Ivanovo
    (494, MOSCOW),                  // Kostroma
    (495, MOSCOW),                  // Moscow
    (496, MOSCOW),                  // Moscow Oblast
    (498, MOSCOW),                  // Moscow Oblast
    (499, MOSCOW),                  // Moscow
    (811, MOSCOW),                  // Pskov
    (812, MOSCOW),                  // Saint Petersburg
    (813, MOSCOW),                  // Leningrad Oblast
    (814, MOSCOW),                  // Karelia
    (815, MOSCOW),                  // Murmansk
    (816, MOSCOW),                  // Novgorod
    (817, MOSCOW),                  // Vologda
    (818, MOSCOW),                  // Arkhangelsk, Nenets
    (820, MOSCOW),                  // Cherepovets
    (821, MOSCOW),                  // Komi
    (831, MOSCOW),                  // Nizhny Novgorod
    (833, &["Europe/Kirov"]),       // Kirov
    (834, MOSCOW),                  // Mordovia
    (835, MOSCOW),                  // Chuvashia
    (836, MOSCOW),                  // Mari El
    (840, MOSCOW),                  // Abkhazia keeps Moscow's clock
    (841, MOSCOW),                  // Penza
    (842, &["Europe/Ulyanovsk"]),   // Ulyanovsk
    (843, MOSCOW),                  // Tatarstan
    (844, &["Europe/Volgograd"]),   // Volgograd
    (845, &["Europe/Saratov"]),     // Saratov
    (846, SAMARA),                  // Samara
    (847, MOSCOW),                  // Kalmykia
    (848, SAMARA),                  // Tolyatti
    (851, &["Europe/Astrakhan"]),   // Astrakhan
    (855, MOSCOW),                  // Naberezhnye Chelny
    (856, MOSCOW),                  // Donetsk keeps Moscow's clock
    (857, MOSCOW),                  // Luhansk keeps Moscow's clock
    (861, MOSCOW),                  // Krasnodar
    (862, MOSCOW),                  // Sochi
    (863, MOSCOW),                  // Rostov
    (865, MOSCOW),                  // Stavropol
    (866, MOSCOW),                  // Kabardino-Balkaria
    (867, MOSCOW),                  // North Ossetia
    (869, SIMFEROPOL),              // Sevastopol
    (871, MOSCOW),                  // Chechnya
    (872, MOSCOW),                  // Dagestan
    (873, MOSCOW),                  // Ingushetia
    (877, MOSCOW),                  // Adygea
    (878, MOSCOW),                  // Karachay-Cherkessia
    (879, MOSCOW),                  // Mineralnye Vody
];

const NEIGHBOURS: &[(&str, &[&str])] = &[
    ("370", &["Europe/Vilnius"]),
    ("371", &["Europe/Riga"]),
    ("372", &["Europe/Tallinn"]),
    ("373", &["Europe/Chisinau"]),
    ("374", &["Asia/Yerevan"]),
    ("375", &["Europe/Minsk"]),
    ("380", &["Europe/Kyiv"]),
    ("992", &["Asia/Dushanbe"]),
    ("993", &["Asia/Ashgabat"]),
    ("994", &["Asia/Baku"]),
    ("995", &["Asia/Tbilisi"]),
    ("996", &["Asia/Bishkek"]),
    ("998", &["Asia/Tashkent"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched_and_its_zones_are_there() {
        assert!(AREAS.windows(2).all(|two| two[0].0 < two[1].0));
        let all = AREAS.iter().map(|(_, zones)| *zones);
        for zone in all.chain(NEIGHBOURS.iter().map(|(_, z)| *z)).flatten() {
            crate::config::zone_named(zone).unwrap_or_else(|_| panic!("no zone {zone}"));
        }
    }

    #[test]
    fn numbers_tell_their_zone_or_nothing() {
        let zones = |phone: &str| match of(&Phone::parse(phone).unwrap()) {
            Known::Zones(zones) => zones.join(" "),
            other => format!("{other:?}"),
        };
        for (phone, expect) in [
            ("+74152123456", "Asia/Kamchatka"),
            ("84012123456", "Europe/Kaliningrad"),
            ("4951234567", "Europe/Moscow"),
            (
                "+74112123456",
                "Asia/Yakutsk Asia/Ust-Nera Asia/Srednekolymsk",
            ),
            ("+77172123456", "Asia/Almaty"),
            ("+77011234567", "Asia/Almaty"),
            ("+375171234567", "Europe/Minsk"),
            ("810380441234567", "Europe/Kyiv"),
            ("+79121234567", "No"),
            ("88001234567", "No"),
            ("+74991234", "No"),
            ("+74001234567", "No"),
            ("+4930123456", "No"),
            ("101", "Here"),
            ("2345678", "Here"),
        ] {
            assert_eq!(zones(phone), expect, "{phone}");
        }
    }
}
