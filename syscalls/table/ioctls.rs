//! ioctl requests whose arguments have the same layout in the guest and on the host.
//!
//! One row per request, and one row per driver family whose requests carry size and direction in
//! their number. What is in neither is refused with `ENOTTY` and counted: its layout is unknown here.

use std::sync::LazyLock;

use super::drivers;

/// What the argument of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoctlArg {
    /// Unused.
    None,
    /// A number or descriptor.
    Int,
    /// A structure the kernel reads.
    In,
    /// A structure the kernel fills.
    Out,
    /// Both.
    InOut,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Ioctl {
    /// Request number, equal on guest and host.
    pub request: u32,
    /// Symbol.
    pub name: &'static str,
    /// Argument.
    pub arg: IoctlArg,
}

/// Requests of one `_IOC` type byte.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Type byte (bits 15:8 of the request).
    pub kind: u8,
    /// Driver.
    pub name: &'static str,
}

macro_rules! ioctls {
    ($( $request:literal $name:ident $arg:ident; )*) => {
        /// Every single request of this list.
        #[rustfmt::skip]
        pub const ALL: &[Ioctl] = &[ $( Ioctl { request: $request, name: stringify!($name), arg: IoctlArg::$arg } ),* ];
    };
}

pub(super) use ioctls;

macro_rules! families {
    ($( $kind:literal $name:literal; )*) => {
        /// Every family.
        pub const FAMILIES: &[Family] = &[ $( Family { kind: $kind, name: $name } ),* ];
    };
}

/// Where a request is declared.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// Its own row.
    Row(&'static Ioctl),
    /// A driver family; the argument is a pointer unless the number says `_IOC_NONE`.
    Family(&'static Family),
}

/// Finds a request.
pub fn find(request: u32) -> Option<Found> {
    static SORTED: LazyLock<Vec<&Ioctl>> = LazyLock::new(|| {
        let mut all: Vec<&Ioctl> = ALL.iter().chain(drivers::ALL).collect();
        all.sort_by_key(|r| r.request);
        all
    });
    if let Ok(at) = SORTED.binary_search_by_key(&request, |r| r.request) {
        return Some(Found::Row(SORTED[at]));
    }
    let kind = (request >> 8) as u8;
    FAMILIES.iter().find(|f| f.kind == kind).map(Found::Family)
}

families! {
    0x12 "block"; 0x23 "fuse passthrough"; 0x24 "perf"; 0x40 "watch queue"; 0x41 "sound pcm"; 0x42 "sound hwdep"; 0x43 "sound sequencer midi";
    0x44 "dvb frontend"; 0x45 "input"; 0x48 "hid"; 0x4c "loop"; 0x4d "mtd"; 0x53 "sound sequencer"; 0x54 "sound timer, terminal"; 0x55 "usb, uinput, sound control";
    0x56 "video"; 0x57 "watchdog"; 0x58 "xfs"; 0x61 "gpib"; 0x64 "drm"; 0x66 "ext4"; 0x67 "gadget"; 0x6b "spi"; 0x6d "mtrr";
    0x6f "dvb"; 0x70 "rtc, ppdev"; 0x72 "vfat"; 0x74 "ppp"; 0x76 "volume attributes"; 0x90 "selftest"; 0x93 "autofs"; 0x94 "btrfs";
    0xa1 "tpm"; 0xaa "userfaultfd"; 0xab "nbd"; 0xaf "vhost"; 0xb4 "gpio"; 0xb7 "namespaces"; 0xb8 "vhost vdpa"; 0xe5 "fuse"; 0xfd "device mapper"; 0xff "pidfd";
    0x02 "floppy"; 0x07 "vm sockets"; 0x09 "raid"; 0x1b "rdma"; 0x25 "trace module"; 0x2a "user events"; 0x33 "suspend"; 0x3d "clock"; 0x46 "framebuffer";
    0x47 "gsm multiplexer"; 0x49 "inotify"; 0x4e "nvme, nvdimm, ntsync"; 0x4f "ubi"; 0x52 "random, rfkill"; 0x5b "usb test"; 0x63 "media changer"; 0x68 "hpet";
    0x6c "udf"; 0x71 "serial input"; 0x75 "udmabuf, uvc, pwm"; 0x81 "vduse"; 0x8a "epoll"; 0x98 "cache files"; 0xa4 "tee"; 0xb3 "mmc"; 0xb5 "rpmsg"; 0xf5 "f2fs";
    0x62 "dma-buf"; 0x3e "sync file"; 0x3b "vfio, iommufd"; 0x69 "i2o"; 0x7c "media"; 0x50 "joystick"; 0x6a "joystick"; 0x89 "sockets"; 0x15 "file systems";
}

#[rustfmt::skip]
ioctls! {
    // terminals (ioctl_tty(2))
    0x5401 TCGETS Out;
    0x5402 TCSETS In;
    0x5403 TCSETSW In;
    0x5404 TCSETSF In;
    0x5405 TCGETA Out;
    0x5406 TCSETA In;
    0x5407 TCSETAW In;
    0x5408 TCSETAF In;
    0x5409 TCSBRK Int;
    0x540a TCXONC Int;
    0x540b TCFLSH Int;
    0x802c542a TCGETS2 Out;
    0x402c542b TCSETS2 In;
    0x402c542c TCSETSW2 In;
    0x402c542d TCSETSF2 In;
    0x540c TIOCEXCL None;
    0x540d TIOCNXCL None;
    0x540e TIOCSCTTY Int;
    0x540f TIOCGPGRP Out;
    0x5410 TIOCSPGRP In;
    0x5411 TIOCOUTQ Out;
    0x5412 TIOCSTI In;
    0x5413 TIOCGWINSZ Out;
    0x5414 TIOCSWINSZ In;
    0x5415 TIOCMGET Out;
    0x5416 TIOCMBIS In;
    0x5417 TIOCMBIC In;
    0x5418 TIOCMSET In;
    0x5419 TIOCGSOFTCAR Out;
    0x541a TIOCSSOFTCAR In;
    0x541b FIONREAD Out;
    0x541c TIOCLINUX InOut;
    0x541d TIOCCONS None;
    0x541e TIOCGSERIAL Out;
    0x541f TIOCSSERIAL In;
    0x5420 TIOCPKT In;
    0x5421 FIONBIO In;
    0x5422 TIOCNOTTY None;
    0x5423 TIOCSETD In;
    0x5424 TIOCGETD Out;
    0x5425 TCSBRKP Int;
    0x5427 TIOCSBRK None;
    0x5428 TIOCCBRK None;
    0x5429 TIOCGSID Out;
    0x542e TIOCGRS485 Out;
    0x542f TIOCSRS485 InOut;
    0x80045430 TIOCGPTN Out;
    0x40045431 TIOCSPTLCK In;
    0x80045432 TIOCGDEV Out;
    0x40045436 TIOCSIG Int;
    0x5437 TIOCVHANGUP None;
    0x80045438 TIOCGPKT Out;
    0x80045439 TIOCGPTLCK Out;
    0x80045440 TIOCGEXCL Out;
    0x5441 TIOCGPTPEER Int;
    0x5450 FIONCLEX None;
    0x5451 FIOCLEX None;
    0x5452 FIOASYNC In;
    0x545c TIOCMIWAIT Int;
    0x545d TIOCGICOUNT Out;
    0x5460 FIOQSIZE Out;
    // sockets and interfaces (netdevice(7))
    0x8901 FIOSETOWN In;
    0x8902 SIOCSPGRP In;
    0x8903 FIOGETOWN Out;
    0x8904 SIOCGPGRP Out;
    0x8905 SIOCATMARK Out;
    0x890b SIOCADDRT In;
    0x890c SIOCDELRT In;
    0x8910 SIOCGIFNAME InOut;
    0x8911 SIOCSIFLINK None;
    0x8912 SIOCGIFCONF InOut;
    0x8913 SIOCGIFFLAGS InOut;
    0x8914 SIOCSIFFLAGS In;
    0x8915 SIOCGIFADDR InOut;
    0x8916 SIOCSIFADDR In;
    0x8917 SIOCGIFDSTADDR InOut;
    0x8918 SIOCSIFDSTADDR In;
    0x8919 SIOCGIFBRDADDR InOut;
    0x891a SIOCSIFBRDADDR In;
    0x891b SIOCGIFNETMASK InOut;
    0x891c SIOCSIFNETMASK In;
    0x891d SIOCGIFMETRIC InOut;
    0x891e SIOCSIFMETRIC In;
    0x8921 SIOCGIFMTU InOut;
    0x8922 SIOCSIFMTU In;
    0x8923 SIOCSIFNAME In;
    0x8924 SIOCSIFHWADDR In;
    0x8927 SIOCGIFHWADDR InOut;
    0x8931 SIOCADDMULTI In;
    0x8932 SIOCDELMULTI In;
    0x8933 SIOCGIFINDEX InOut;
    0x8934 SIOCSIFPFLAGS In;
    0x8935 SIOCGIFPFLAGS InOut;
    0x8936 SIOCDIFADDR In;
    0x8938 SIOCGIFCOUNT InOut;
    0x8940 SIOCGIFBR InOut;
    0x8941 SIOCSIFBR In;
    0x8942 SIOCGIFTXQLEN InOut;
    0x8943 SIOCSIFTXQLEN In;
    0x8946 SIOCETHTOOL InOut;
    0x8947 SIOCGMIIPHY InOut;
    0x8948 SIOCGMIIREG InOut;
    0x8949 SIOCSMIIREG In;
    0x8953 SIOCDARP In;
    0x8954 SIOCGARP InOut;
    0x8955 SIOCSARP In;
    0x8970 SIOCGIFMAP InOut;
    0x8971 SIOCSIFMAP In;
    0x8990 SIOCBONDENSLAVE In;
    0x8991 SIOCBONDRELEASE In;
    0x8982 SIOCGIFVLAN InOut;
    0x8983 SIOCSIFVLAN In;
    0x89a0 SIOCBRADDBR In;
    0x89a1 SIOCBRDELBR In;
    0x89a2 SIOCBRADDIF In;
    0x89a3 SIOCBRDELIF In;
    0x89b0 SIOCSHWTSTAMP InOut;
    0x89b1 SIOCGHWTSTAMP InOut;
    0x894b SIOCOUTQNSD Out;
    0x894c SIOCGSKNS None;
    0x8906 SIOCGSTAMP_OLD Out;
    0x8907 SIOCGSTAMPNS_OLD Out;
    // files and file systems (ioctl_iflags(2), ioctl_ficlone(2), ioctl_fideduperange(2))
    0x1 FIBMAP InOut;
    0x2 FIGETBSZ Out;
    0xc0045877 FIFREEZE None;
    0xc0045878 FITHAW None;
    0xc0185879 FITRIM InOut;
    0x40049409 FICLONE Int;
    0x4020940d FICLONERANGE In;
    0xc0189436 FIDEDUPERANGE InOut;
    0x80086601 FS_IOC_GETFLAGS Out;
    0x40086602 FS_IOC_SETFLAGS In;
    0x80087601 FS_IOC_GETVERSION Out;
    0x40087602 FS_IOC_SETVERSION In;
    0xc020660b FS_IOC_FIEMAP InOut;
    0x801c581f FS_IOC_FSGETXATTR Out;
    0x401c5820 FS_IOC_FSSETXATTR In;
    0x81009431 FS_IOC_GETFSLABEL Out;
    0x41009432 FS_IOC_SETFSLABEL In;
    0x82307201 VFAT_IOCTL_READDIR_BOTH Out;
    0x82307202 VFAT_IOCTL_READDIR_SHORT Out;
    0x80047210 FAT_IOCTL_GET_ATTRIBUTES Out;
    0x40047211 FAT_IOCTL_SET_ATTRIBUTES In;
    0x80047213 FAT_IOCTL_GET_VOLUME_ID Out;
    0x800c6613 FS_IOC_SET_ENCRYPTION_POLICY In;
    0x40106614 FS_IOC_GET_ENCRYPTION_PWSALT Out;
    0x400c6615 FS_IOC_GET_ENCRYPTION_POLICY Out;
    0xc0096616 FS_IOC_GET_ENCRYPTION_POLICY_EX InOut;
    0xc0506617 FS_IOC_ADD_ENCRYPTION_KEY InOut;
    0xc0406618 FS_IOC_REMOVE_ENCRYPTION_KEY InOut;
    0xc080661a FS_IOC_GET_ENCRYPTION_KEY_STATUS InOut;
    0x40806685 FS_IOC_ENABLE_VERITY In;
    0xc0046686 FS_IOC_MEASURE_VERITY InOut;
    // block devices
    0x125d BLKROSET In;
    0x125e BLKROGET Out;
    0x125f BLKRRPART None;
    0x1260 BLKGETSIZE Out;
    0x1261 BLKFLSBUF None;
    0x1262 BLKRASET Int;
    0x1263 BLKRAGET Out;
    0x1264 BLKFRASET Int;
    0x1265 BLKFRAGET Out;
    0x1267 BLKSECTGET Out;
    0x1268 BLKSSZGET Out;
    0x1269 BLKPG In;
    0x80081270 BLKBSZGET Out;
    0x40081271 BLKBSZSET In;
    0x80081272 BLKGETSIZE64 Out;
    0x1277 BLKDISCARD In;
    0x1278 BLKIOMIN Out;
    0x1279 BLKIOOPT Out;
    0x127a BLKALIGNOFF Out;
    0x127b BLKPBSZGET Out;
    0x127c BLKDISCARDZEROES Out;
    0x127d BLKSECDISCARD In;
    0x127e BLKROTATIONAL Out;
    0x127f BLKZEROOUT In;
    0x80081280 BLKGETDISKSEQ Out;
    0xc0101282 BLKREPORTZONE InOut;
    0x80041284 BLKGETZONESZ Out;
    0x80041285 BLKGETNRZONES Out;
    0x301 HDIO_GETGEO Out;
    0x30d HDIO_GET_IDENTITY Out;
    0x5326 CDROM_DRIVE_STATUS Int;
    0x5331 CDROM_GET_CAPABILITY None;
    0x5309 CDROMEJECT None;
    0x5329 CDROM_LOCKDOOR Int;
    0x5305 CDROMREADTOCHDR Out;
    0x5306 CDROMREADTOCENTRY InOut;
    0x5327 CDROM_DISC_STATUS None;
    0x5325 CDROM_MEDIA_CHANGED Int;
    0x4c00 LOOP_SET_FD Int;
    0x4c01 LOOP_CLR_FD None;
    0x4c02 LOOP_SET_STATUS In;
    0x4c03 LOOP_GET_STATUS Out;
    0x4c04 LOOP_SET_STATUS64 In;
    0x4c05 LOOP_GET_STATUS64 Out;
    0x4c06 LOOP_CHANGE_FD Int;
    0x4c07 LOOP_SET_CAPACITY None;
    0x4c08 LOOP_SET_DIRECT_IO Int;
    0x4c09 LOOP_SET_BLOCK_SIZE Int;
    0x4c0a LOOP_CONFIGURE In;
    0x4c80 LOOP_CTL_ADD Int;
    0x4c81 LOOP_CTL_REMOVE Int;
    0x4c82 LOOP_CTL_GET_FREE None;
    0x2285 SG_IO InOut;
    0x2282 SG_GET_VERSION_NUM Out;
    0x2201 SG_SET_TIMEOUT In;
    0x2202 SG_GET_TIMEOUT None;
    // consoles (ioctl_console(2))
    0x4b31 KDGETLED Out;
    0x4b32 KDSETLED Int;
    0x4b64 KDGKBLED Out;
    0x4b65 KDSKBLED Int;
    0x4b33 KDGKBTYPE Out;
    0x4b3b KDGETMODE Out;
    0x4b3a KDSETMODE Int;
    0x4b30 KDMKTONE Int;
    0x4b2f KIOCSOUND Int;
    0x4b66 GIO_UNIMAP InOut;
    0x4b67 PIO_UNIMAP In;
    0x4b68 PIO_UNIMAPCLR In;
    0x4b44 KDGKBMODE Out;
    0x4b45 KDSKBMODE Int;
    0x4b62 KDGKBMETA Out;
    0x4b63 KDSKBMETA Int;
    0x4b46 KDGKBENT InOut;
    0x4b47 KDSKBENT In;
    0x4b48 KDGKBSENT InOut;
    0x4b49 KDSKBSENT In;
    0x4b72 KDFONTOP InOut;
    0x4b70 GIO_CMAP Out;
    0x4b71 PIO_CMAP In;
    0x5600 VT_OPENQRY Out;
    0x5601 VT_GETMODE Out;
    0x5602 VT_SETMODE In;
    0x5603 VT_GETSTATE Out;
    0x5605 VT_RELDISP Int;
    0x5606 VT_ACTIVATE Int;
    0x5607 VT_WAITACTIVE Int;
    0x5608 VT_DISALLOCATE Int;
    0x5609 VT_RESIZE In;
    0x560b VT_LOCKSWITCH None;
    0x560c VT_UNLOCKSWITCH None;
    0x560d VT_GETHIFONTMASK Out;
    // memory and process descriptors
    0xc018aa3f UFFDIO_API InOut;
    0xc020aa00 UFFDIO_REGISTER InOut;
    0x8010aa01 UFFDIO_UNREGISTER In;
    0x8010aa02 UFFDIO_WAKE In;
    0xc028aa03 UFFDIO_COPY InOut;
    0xc020aa04 UFFDIO_ZEROPAGE InOut;
    0xc018aa06 UFFDIO_WRITEPROTECT In;
    0xc020aa07 UFFDIO_CONTINUE InOut;
    0xc0502100 SECCOMP_IOCTL_NOTIF_RECV InOut;
    0xc0182101 SECCOMP_IOCTL_NOTIF_SEND InOut;
    0x40082102 SECCOMP_IOCTL_NOTIF_ID_VALID In;
    0x40182103 SECCOMP_IOCTL_NOTIF_ADDFD In;
    0x40082104 SECCOMP_IOCTL_NOTIF_SET_FLAGS Int;
    0xb701 NS_GET_USERNS None;
    0xb702 NS_GET_PARENT None;
    0xb703 NS_GET_NSTYPE None;
    0xb704 NS_GET_OWNER_UID Out;
    0x80045200 RNDGETENTCNT Out;
    0x40045201 RNDADDTOENTCNT In;
    0x80085202 RNDGETPOOL Out;
    0x40085203 RNDADDENTROPY In;
    0x5204 RNDZAPENTCNT None;
    0x5206 RNDCLEARPOOL None;
    0x5207 RNDRESEEDCRNG None;
    // tunnels
    0x400454c8 TUNSETNOCSUM Int;
    0x400454c9 TUNSETDEBUG Int;
    0x400454ca TUNSETIFF InOut;
    0x400454cb TUNSETPERSIST Int;
    0x400454cc TUNSETOWNER Int;
    0x400454cd TUNSETLINK Int;
    0x400454ce TUNSETGROUP Int;
    0x800454cf TUNGETFEATURES Out;
    0x400454d0 TUNSETOFFLOAD Int;
    0x400454d1 TUNSETTXFILTER In;
    0x800454d2 TUNGETIFF Out;
    0x800454d3 TUNGETSNDBUF Out;
    0x400454d4 TUNSETSNDBUF In;
    0x401054d5 TUNATTACHFILTER In;
    0x401054d6 TUNDETACHFILTER In;
    0x800454d7 TUNGETVNETHDRSZ Out;
    0x400454d8 TUNSETVNETHDRSZ In;
    0x400454d9 TUNSETQUEUE In;
    0x400454da TUNSETIFINDEX In;
    0x801054db TUNGETFILTER Out;
    0x400454dc TUNSETVNETLE In;
    0x800454dd TUNGETVNETLE Out;
    0x400454de TUNSETVNETBE In;
    0x800454df TUNGETVNETBE Out;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_one_row() {
        let mut all: Vec<_> = ALL.iter().chain(drivers::ALL).map(|r| (r.request, r.name)).collect();
        all.sort_unstable();
        for pair in all.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{pair:?}");
        }
        let name = |n| match find(n) {
            Some(Found::Row(r)) => r.name,
            Some(Found::Family(f)) => f.name,
            None => "",
        };
        assert_eq!(
            (name(0x5401), name(0x8004_4501), name(0x8040_4520)),
            ("TCGETS", "EVIOCGVERSION", "input")
        );
        // KVM_RUN: a machine's registers are not the guest's to load.
        assert!(find(0xae80).is_none());
    }
}
