//! RTP taps: a UDP socket for each call, to which a UnicastRTP channel sends what it spies.
//!
//! Anybody can send to a UDP port. The first address that sends readable audio is taken for Asterisk's, and everybody
//! else is ignored and counted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::hub::MediaError;
use super::link::{Ear, LinkEnd, LinkTask};
use crate::audio::g711;
use crate::wire::rtp::{Coding, MAX_DATAGRAM, Sequencer, decode};

/// How long packets are held back for an earlier one.
const HOLD: Duration = Duration::from_millis(60);

/// A socket in the range of ports (`(0, 0)`: any), and its address.
pub(super) fn bind(ip: IpAddr, ports: (u16, u16)) -> Result<(UdpSocket, SocketAddr), MediaError> {
    let (first, last) = ports;
    let fail = |source| MediaError::Listen {
        key: "media.rtp_ports",
        address: format!("{ip}:{first}-{last}"),
        source,
    };
    let open = |port| {
        let socket = std::net::UdpSocket::bind((ip, port))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok((UdpSocket::from_std(socket)?, address))
    };
    if first == 0 {
        return open(0).map_err(fail);
    }
    // A random start, so that a port which was just freed isn't taken again at once: late packets may still come to it.
    let count = u32::from(last.saturating_sub(first)) + 1;
    let mut start = [0; 4];
    if getrandom::fill(&mut start).is_err() {
        start = std::process::id().to_le_bytes();
    }
    let start = u32::from_le_bytes(start) % count;
    let mut error = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..count {
        let port = first + ((start + step) % count) as u16;
        match open(port) {
            Ok(socket) => return Ok(socket),
            Err(e) => error = e,
        }
    }
    Err(fail(error))
}

/// Hears packets until the call drops its link.
pub(super) async fn hear(socket: UdpSocket, peers: Vec<IpAddr>, mut task: LinkTask) {
    let stop = task.stop.clone();
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    let mut datagram = Box::new([0u8; MAX_DATAGRAM]);
    let mut order = Sequencer::default();
    let mut source: Option<(SocketAddr, u32, Coding)> = None;
    loop {
        let received = tokio::select! {
            biased;
            () = &mut stopped => break,
            received = socket.recv_from(&mut datagram[..]) => received,
            () = tokio::time::sleep(HOLD), if order.is_waiting() => {
                if let Some((_, _, coding)) = source {
                    order.flush(|payload| hear_payload(&mut task.ear, coding, payload));
                    task.info.set_disordered(order.lost + order.stale);
                }
                continue;
            }
        };
        // An error here is an ICMP answer to nothing that we sent: the next packet comes all the same.
        let Ok((length, from)) = received else {
            task.info.ignore();
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let known = source.map_or(
            peers.is_empty() || peers.contains(&from.ip()),
            |(first, ..)| first == from,
        );
        let packet = match decode(&datagram[..length]) {
            Ok(packet) if known => packet,
            _ => {
                task.info.ignore();
                continue;
            }
        };
        if source.is_none_or(|(_, ssrc, coding)| ssrc != packet.ssrc || coding != packet.coding) {
            // The first packet, or Asterisk began a new stream on the same socket.
            if let Some((_, _, coding)) = source {
                order.flush(|payload| hear_payload(&mut task.ear, coding, payload));
            }
            order.restart();
            source = Some((from, packet.ssrc, packet.coding));
        }
        order.push(packet.sequence, packet.payload, |payload| {
            hear_payload(&mut task.ear, packet.coding, payload);
        });
        task.info.set_disordered(order.lost + order.stale);
    }
    task.end(LinkEnd::ByUs);
}

fn hear_payload(ear: &mut Ear, coding: Coding, payload: &[u8]) {
    match coding {
        Coding::ALaw => ear.hear(payload.iter().map(|b| g711::alaw_decode(*b))),
        Coding::MuLaw => ear.hear(payload.iter().map(|b| g711::ulaw_decode(*b))),
        Coding::Linear => {
            let pairs = payload.chunks_exact(2);
            ear.hear(pairs.map(|p| i16::from_be_bytes([p[0], p[1]])));
        }
    }
}
