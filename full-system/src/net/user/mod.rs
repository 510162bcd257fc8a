//! A network without privileges: the guest's TCP connections end in smoltcp here and go on as sockets of the host,
//! datagrams are handed on, DHCP and a name server are there. Addresses are those of QEMU's user network.
//!
//! Everything runs on the event loop's thread; a card only leaves its frames here.

mod nat;
mod packet;
mod stack;
mod tcp;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use self::nat::Nat;
use self::packet::{Kind, classify};
use self::stack::Stack;
use self::tcp::Tcp;
use super::{Link, LinkReceiver};
use crate::event_loop::{Handle, Timer};

/// The way out; it is also the host itself.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The name server.
pub const DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
/// What DHCP gives the guest.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The network's own card address.
const MAC: [u8; 6] = [0x52, 0x55, 10, 0, 2, 2];
/// Frames that wait for the card before the network waits too.
const WAITING: usize = 256;

/// How a network is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Ports of the host that lead to the guest.
    pub forwards: Vec<Forward>,
    /// No way out to the host's networks.
    pub restrict: bool,
}

/// A TCP port of the host that leads to the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Address of the host that is listened at.
    pub host: Ipv4Addr,
    /// Port of the host.
    pub host_port: u16,
    /// Address of the guest.
    pub guest: Ipv4Addr,
    /// Port of the guest.
    pub guest_port: u16,
}

/// The network.
pub struct User {
    events: Handle,
    /// Frames from the card.
    inbox: Mutex<Vec<Vec<u8>>>,
    /// Work is posted and has not begun.
    scheduled: AtomicBool,
    card: OnceLock<Weak<dyn LinkReceiver>>,
    inner: Mutex<Inner>,
    timer: OnceLock<Timer>,
}

struct Inner {
    stack: Stack,
    tcp: Tcp,
    nat: Nat,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl User {
    /// A network; its forwarded ports are open from now on.
    ///
    /// # Errors
    /// A sentence naming the port that cannot be had.
    pub fn new(config: &Config, events: &Handle) -> Result<Arc<User>, String> {
        let user = Arc::new_cyclic(|me: &Weak<User>| {
            let again = Wake(me.clone());
            let stack = Stack::new();
            let tcp = Tcp::new(events.clone(), again.clone(), config.restrict);
            let nat = Nat::new(events.clone(), again, config.restrict);
            User {
                events: events.clone(),
                inbox: Mutex::default(),
                scheduled: AtomicBool::new(false),
                card: OnceLock::new(),
                inner: Mutex::new(Inner { stack, tcp, nat }),
                timer: OnceLock::new(),
            }
        });
        let wake = Wake(Arc::downgrade(&user));
        let _ = user.timer.set(events.timer(Box::new(move || wake.wake())));
        for forward in &config.forwards {
            lock(&user.inner).tcp.forward(forward)?;
        }
        Ok(user)
    }

    /// Has [`User::work`] called on the loop's thread.
    fn schedule(self: &Arc<Self>) {
        if !self.scheduled.swap(true, Ordering::SeqCst) {
            let me = self.clone();
            self.events.post(move || me.work());
        }
    }

    fn work(&self) {
        self.scheduled.store(false, Ordering::SeqCst);
        let frames = std::mem::take(&mut *lock(&self.inbox));
        let inner = &mut *lock(&self.inner);
        let Inner { stack, tcp, nat } = inner;
        for frame in frames {
            match classify(&frame) {
                Kind::Own => stack.input(frame),
                Kind::Syn(from, to) => tcp.syn(stack, frame, from, to),
                Kind::Tcp => stack.input(frame),
                Kind::Udp(datagram) => nat.datagram(stack, datagram),
                Kind::Other => {}
            }
        }
        // Once for what came in, and again for what that set in motion.
        for _ in 0..2 {
            stack.poll();
            tcp.pump(stack);
        }
        stack.poll();
        nat.pump(stack);
        self.deliver(stack.output());
        let next = stack.next().map(|ms| self.events.clock().now_ns() + ms * 1_000_000);
        if let Some(timer) = self.timer.get() {
            timer.set(next);
        }
    }

    fn deliver(&self, output: &mut VecDeque<Vec<u8>>) {
        let Some(card) = self.card.get().and_then(Weak::upgrade) else {
            output.clear();
            return;
        };
        while let Some(frame) = output.front() {
            if !card.receive(frame) {
                return;
            }
            output.pop_front();
        }
    }
}

impl Link for Arc<User> {
    fn send(&self, frame: Vec<u8>) {
        lock(&self.inbox).push(frame);
        self.schedule();
    }

    fn connect(&self, receiver: Weak<dyn LinkReceiver>) {
        let _ = self.card.set(receiver);
    }

    fn accept_frames(&self) {
        self.schedule();
    }
}

/// Brings the network back to work when a socket of the host is ready.
#[derive(Clone)]
struct Wake(Weak<User>);

impl Wake {
    fn wake(&self) {
        if let Some(user) = self.0.upgrade() {
            user.schedule();
        }
    }
}
