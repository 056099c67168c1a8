//! What the test call showed, told: AGI, the medium, RTP, prompts, recordings.

use std::net::IpAddr;

use super::finding::Findings;
use super::reach::{NoCall, Recording, Seen};
use super::visit;
use crate::config::{Config, MediaKind};

/// Fewer frames than this of the prompt's 120 are a bad network.
const FRAMES: u64 = 60;

/// Tells it all. `medium` is the one that calls will use.
pub(super) fn judge(
    config: &Config,
    our_address: IpAddr,
    medium: MediaKind,
    seen: &Seen,
    findings: &mut Findings,
) {
    if let Some(why) = &seen.no_call {
        return no_call(config, why, findings);
    }
    let port = config.asterisk.agi_listen.port();
    let host = &config.asterisk.our_host;
    if !seen.agi {
        return findings.fault(
            "agi",
            (
                &format!("Asterisk не достаёт до нас: agi://{our_address}:{port} не отвечает ему; звук и папки поэтому не проверены"),
                &format!("Asterisk doesn't reach us: agi://{our_address}:{port} doesn't answer it; sound and folders are unproven therefore"),
            ),
            (
                &format!("в asterisk.our_host (сейчас {host}) нужен адрес этой машины, каким его видит Asterisk; agi_listen не 127.0.0.1, если Asterisk на другой машине; в сетевом экране откройте ему TCP {port}"),
                &format!("asterisk.our_host ({host} now) wants this machine's address as Asterisk sees it; agi_listen not 127.0.0.1 if Asterisk is elsewhere; open TCP {port} to it in the firewall"),
            ),
        );
    }
    findings.ok(
        "agi",
        (
            &format!("Asterisk достаёт до нас: agi://{our_address}:{port}"),
            &format!("Asterisk reaches us: agi://{our_address}:{port}"),
        ),
    );
    media(config, medium, seen, findings);
    rtp(config, medium, seen, findings);
    let plays = !matches!(medium, MediaKind::Audiosocket | MediaKind::ChanWebsocket);
    if plays {
        sounds(config, seen, findings);
    }
    recordings(config, seen, findings);
}

fn no_call(config: &Config, why: &NoCall, findings: &mut Findings) {
    match why {
        NoCall::Sounds(folder, error) => findings.fault(
            "sounds",
            (
                &format!("asterisk.sounds: в {} нельзя писать: {error}", folder.display()),
                &format!("asterisk.sounds: can't write into {}: {error}", folder.display()),
            ),
            (
                &format!("mkdir -p {0} && chown govorun: {0} (или под кем работает Говорун); Asterisk должен её читать", folder.display()),
                &format!("mkdir -p {0} && chown govorun: {0} (or whoever runs us); Asterisk has to read it", folder.display()),
            ),
        ),
        NoCall::NoCarrier => findings.warning(
            "agi",
            (
                "проверить связь звонком нечем: нет ни chan_rtp, ни chan_audiosocket",
                "there is nothing to make a test call with: neither chan_rtp nor chan_audiosocket",
            ),
            (
                "asterisk -rx \"module load chan_rtp.so\" и повторите govorun doctor",
                "asterisk -rx \"module load chan_rtp.so\", and run govorun doctor again",
            ),
        ),
        NoCall::Ports => findings.warning(
            "agi",
            (
                "связь звонком не проверена: наши порты заняты, смотрите выше",
                "no test call was made: our ports are held, see above",
            ),
            ("сначала освободите порты", "free the ports first"),
        ),
        NoCall::Refused(message) => findings.fault(
            "agi",
            (
                &format!("Asterisk не разрешает проверочный звонок, а значит и настоящие: {message}"),
                &format!("Asterisk refuses the test call, and so real ones: {message}"),
            ),
            (
                &format!("в manager.conf: [{}] write = originate,call,reporting,system; потом: asterisk -rx \"manager reload\"", config.asterisk.user),
                &format!("in manager.conf: [{}] write = originate,call,reporting,system; then: asterisk -rx \"manager reload\"", config.asterisk.user),
            ),
        ),
        NoCall::Failed(error) => findings.warning(
            "agi",
            (
                &format!("проверочный звонок не удался: {error}"),
                &format!("the test call failed: {error}"),
            ),
            ("повторите govorun doctor", "run govorun doctor again"),
        ),
    }
}

fn media(config: &Config, medium: MediaKind, seen: &Seen, findings: &mut Findings) {
    let kind = medium.as_str();
    let (key, port) = match medium {
        MediaKind::Audiosocket | MediaKind::AudiosocketTap => (
            "media.audiosocket_listen",
            config.media.audiosocket_listen.port(),
        ),
        MediaKind::ChanWebsocket | MediaKind::Audiofork => (
            "media.websocket_listen",
            config.media.websocket_listen.port(),
        ),
        MediaKind::Rtp | MediaKind::Auto => return,
    };
    match seen.medium.as_deref() {
        Some(visit::FINE) => findings.ok(
            "media",
            (
                &format!("звук: {kind} подключается к порту {port}"),
                &format!("sound: {kind} connects to port {port}"),
            ),
        ),
        Some(visit::NONE) => {}
        told => {
            let told = told.unwrap_or("?");
            let section = &config.asterisk.websocket_client;
            let host = &config.asterisk.our_host;
            let (extra, extra_en) = match medium {
                MediaKind::ChanWebsocket => (
                    format!(
                        "; в websocket_client.conf: [{section}] uri = ws://{host}:{port}/media, protocols = media; потом: asterisk -rx \"module reload res_websocket_client.so\""
                    ),
                    format!(
                        "; in websocket_client.conf: [{section}] uri = ws://{host}:{port}/media, protocols = media; then: asterisk -rx \"module reload res_websocket_client.so\""
                    ),
                ),
                _ => (String::new(), String::new()),
            };
            findings.fault(
                "media",
                (
                    &format!("звук: {kind} не подключается к порту {port}: {told}"),
                    &format!("sound: {kind} doesn't connect to port {port}: {told}"),
                ),
                (
                    &format!("откройте Asterisk TCP {port} в сетевом экране; {key} не 127.0.0.1, если он на другой машине{extra}"),
                    &format!("open TCP {port} to Asterisk in the firewall; {key} not 127.0.0.1 if it is elsewhere{extra_en}"),
                ),
            );
        }
    }
}

fn rtp(config: &Config, medium: MediaKind, seen: &Seen, findings: &mut Findings) {
    // A prompt that Asterisk couldn't play sends nothing.
    let (Some(frames), Some(0)) = (seen.frames, seen.sound) else {
        return;
    };
    if medium != MediaKind::Rtp {
        return;
    }
    let ports = match config.media.rtp_ports {
        (0, 0) => "0 (любые)".to_owned(),
        (first, last) => format!("{first}-{last}"),
    };
    let listens = config.media.rtp_listen;
    let mend = (
        format!(
            "откройте Asterisk UDP-порты media.rtp_ports (сейчас {ports}) в сетевом экране; rtp_listen (сейчас {listens}) не 127.0.0.1, если он на другой машине"
        ),
        format!(
            "open the UDP ports of media.rtp_ports ({ports} now) to Asterisk in the firewall; rtp_listen ({listens} now) not 127.0.0.1 if it is elsewhere"
        ),
    );
    let mend = (mend.0.as_str(), mend.1.as_str());
    match frames {
        0 => findings.fault(
            "media",
            (
                "звук: ни одного пакета RTP от Asterisk не пришло",
                "sound: not one RTP packet came from Asterisk",
            ),
            mend,
        ),
        1..FRAMES => findings.warning(
            "media",
            (
                &format!("звук: RTP от Asterisk приходит с потерями: {frames} пакетов из 120"),
                &format!("sound: Asterisk's RTP has losses: {frames} packets of 120"),
            ),
            mend,
        ),
        _ => findings.ok(
            "media",
            (
                &format!("звук: RTP от Asterisk приходит, {frames} пакетов"),
                &format!("sound: Asterisk's RTP comes, {frames} packets"),
            ),
        ),
    }
}

fn sounds(config: &Config, seen: &Seen, findings: &mut Findings) {
    let (ours, theirs) = (
        config.asterisk.sounds.display(),
        &config.asterisk.sounds_in_asterisk,
    );
    match seen.sound {
        Some(0) => findings.ok(
            "sounds",
            (
                &format!("фразы: Asterisk сыграл файл из {theirs}"),
                &format!("prompts: Asterisk played a file of {theirs}"),
            ),
        ),
        Some(_) => findings.fault(
            "sounds",
            (
                &format!("фразы: Asterisk не видит в {theirs} файла, который мы положили в {ours}"),
                &format!("prompts: Asterisk doesn't see in {theirs} the file that we put into {ours}"),
            ),
            (
                &format!("asterisk.sounds и sounds_in_asterisk — одна папка; права: chmod 755 {ours}; для другой машины или контейнера смонтируйте её и задайте sounds_in_asterisk"),
                &format!("asterisk.sounds and sounds_in_asterisk are one folder; rights: chmod 755 {ours}; for another machine or a container mount it and set sounds_in_asterisk"),
            ),
        ),
        None => findings.warning(
            "sounds",
            (
                "фразы: проверочный звонок оборвался раньше, чем Asterisk доиграл файл",
                "prompts: the test call broke off before Asterisk had played the file",
            ),
            ("повторите govorun doctor", "run govorun doctor again"),
        ),
    }
}

fn recordings(config: &Config, seen: &Seen, findings: &mut Findings) {
    const EMPTY_WAV: u64 = 44;
    let (ours, theirs) = (
        config.asterisk.recordings.display(),
        &config.asterisk.recordings_in_asterisk,
    );
    match &seen.recording {
        Some(Recording::Seen(bytes)) if *bytes > EMPTY_WAV => findings.ok(
            "recordings",
            (
                &format!("записи: Asterisk пишет в {theirs}, мы видим их в {ours}"),
                &format!("recordings: Asterisk writes into {theirs}, we see them in {ours}"),
            ),
        ),
        // Nothing was played, so nothing could be recorded.
        Some(Recording::Seen(_)) if seen.sound != Some(0) => {}
        Some(Recording::Seen(_)) => findings.warning(
            "recordings",
            (
                &format!("записи: файл в {ours} появился, но пуст"),
                &format!("recordings: the file came into {ours}, and is empty"),
            ),
            (
                "место на диске Asterisk: df -h; модули app_mixmonitor и format_wav",
                "room on Asterisk's disk: df -h; modules app_mixmonitor and format_wav",
            ),
        ),
        Some(Recording::NotSeen) => findings.warning(
            "recordings",
            (
                &format!("записи: Asterisk пишет в {theirs}, а в {ours} мы их не видим"),
                &format!("recordings: Asterisk writes into {theirs}, and we don't see them in {ours}"),
            ),
            (
                &format!("asterisk.recordings и recordings_in_asterisk — одна папка: mkdir -p {ours} && chown asterisk: {ours} && chmod 755 {ours}"),
                &format!("asterisk.recordings and recordings_in_asterisk are one folder: mkdir -p {ours} && chown asterisk: {ours} && chmod 755 {ours}"),
            ),
        ),
        Some(Recording::Refused(message)) => findings.warning(
            "recordings",
            (
                &format!("записи: Asterisk не записывает: {message}"),
                &format!("recordings: Asterisk doesn't record: {message}"),
            ),
            (
                "system в write пользователя AMI и модуль app_mixmonitor",
                "system in the AMI user's write, and the module app_mixmonitor",
            ),
        ),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::{Finding, Level};
    use crate::config::Language;

    fn sound() -> Seen {
        Seen {
            agi: true,
            sound: Some(0),
            medium: Some(visit::FINE.to_owned()),
            frames: Some(118),
            recording: Some(Recording::Seen(38_000)),
            call_events: true,
            key_events: Some(true),
            no_call: None,
        }
    }

    fn told(medium: MediaKind, seen: &Seen) -> Vec<Finding> {
        let mut findings = Findings::new(Language::Ru);
        let ours = IpAddr::from([10, 0, 0, 5]);
        judge(&Config::default(), ours, medium, seen, &mut findings);
        findings.all
    }

    #[test]
    fn a_sound_call_has_no_fault() {
        for medium in [
            MediaKind::Rtp,
            MediaKind::AudiosocketTap,
            MediaKind::ChanWebsocket,
        ] {
            let all = told(medium, &sound());
            assert!(all.iter().all(|f| f.level == Level::Ok), "{all:?}");
            assert!(all.iter().any(|f| f.check == "media"), "{all:?}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_mend() {
        use MediaKind::{AudiosocketTap, ChanWebsocket, Rtp};
        let with = |change: &dyn Fn(&mut Seen)| {
            let mut seen = sound();
            change(&mut seen);
            seen
        };
        let refused = |why: NoCall| Seen {
            no_call: Some(why),
            ..Seen::default()
        };
        let lost = "no audiosocket stream came within 3000 ms";
        let table: Vec<(MediaKind, Seen, &str, Level, &str, &str)> = vec![
            (
                Rtp,
                Seen {
                    call_events: true,
                    ..Seen::default()
                },
                "agi",
                Level::Fault,
                "не достаёт до нас: agi://10.0.0.5:4573",
                "asterisk.our_host (сейчас 127.0.0.1)",
            ),
            (
                AudiosocketTap,
                with(&|s| s.medium = Some(lost.to_owned())),
                "media",
                Level::Fault,
                "не подключается к порту 4574",
                "TCP 4574",
            ),
            (
                ChanWebsocket,
                with(&|s| s.medium = None),
                "media",
                Level::Fault,
                "не подключается к порту 4575",
                "[govorun] uri = ws://127.0.0.1:4575/media",
            ),
            (
                Rtp,
                with(&|s| s.frames = Some(0)),
                "media",
                Level::Fault,
                "ни одного пакета RTP",
                "rtp_listen (сейчас 127.0.0.1)",
            ),
            (
                Rtp,
                with(&|s| s.frames = Some(20)),
                "media",
                Level::Warning,
                "с потерями: 20",
                "rtp_ports",
            ),
            (
                Rtp,
                with(&|s| s.sound = Some(-1)),
                "sounds",
                Level::Fault,
                "не видит в /var/lib/asterisk/sounds/govorun",
                "sounds_in_asterisk",
            ),
            (
                Rtp,
                with(&|s| s.recording = Some(Recording::NotSeen)),
                "recordings",
                Level::Warning,
                "мы их не видим",
                "recordings_in_asterisk",
            ),
            (
                Rtp,
                with(&|s| s.recording = Some(Recording::Refused("Permission denied".into()))),
                "recordings",
                Level::Warning,
                "не записывает: Permission denied",
                "app_mixmonitor",
            ),
            (
                Rtp,
                refused(NoCall::NoCarrier),
                "agi",
                Level::Warning,
                "нет ни chan_rtp",
                "module load chan_rtp.so",
            ),
            (
                Rtp,
                refused(NoCall::Refused("Permission denied".into())),
                "agi",
                Level::Fault,
                "не разрешает",
                "write = originate",
            ),
            (
                Rtp,
                refused(NoCall::Sounds("/s".into(), "Permission denied".into())),
                "sounds",
                Level::Fault,
                "в /s нельзя писать",
                "chown govorun: /s",
            ),
        ];
        for (medium, seen, check, level, what, mend) in table {
            let all = told(medium, &seen);
            let bad: Vec<_> = all.iter().filter(|f| f.level != Level::Ok).collect();
            assert_eq!(bad.len(), 1, "{all:#?}");
            assert_eq!((bad[0].check, bad[0].level), (check, level), "{bad:#?}");
            assert!(bad[0].what.contains(what), "{bad:#?}");
            assert!(bad[0].mend.contains(mend), "{bad:#?}");
        }
    }
}
