//! Archives as tests need them, good ones and bad ones, by the letter of the standard.

pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// A member with anything in its fields. What the header says of its size is `said`.
    pub(crate) fn member(mut self, kind: u8, name: &[u8], target: &[u8], said: u64, body: &[u8]) -> Self {
        let mut header = [0; 512];
        header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..124].copy_from_slice(b"0000000\x000000000\0");
        if said < 1 << 33 {
            header[124..136].copy_from_slice(format!("{said:011o}\0").as_bytes());
        } else {
            header[124] = 0x80;
            header[128..136].copy_from_slice(&said.to_be_bytes());
        }
        header[136..148].copy_from_slice(b"14524770000\0");
        header[148..156].fill(b' ');
        header[156] = kind;
        header[157..157 + target.len()].copy_from_slice(target);
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(header);
        self.0.extend(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &[u8], body: &[u8]) -> Self {
        self.member(b'0', name, b"", body.len() as u64, body)
    }

    pub(crate) fn dir(self, name: &[u8]) -> Self {
        self.member(b'5', name, b"", 0, b"")
    }

    pub(crate) fn link(self, name: &[u8], target: &[u8]) -> Self {
        self.member(b'2', name, target, 0, b"")
    }

    /// Extended records for the next member, each as it is to be: `key=value`.
    pub(crate) fn records(self, records: &[&[u8]]) -> Self {
        let mut body = Vec::new();
        for record in records {
            let mut length = record.len() + 3;
            while length.to_string().len() + record.len() + 2 != length {
                length += 1;
            }
            body.extend([length.to_string().as_bytes(), b" ", record, b"\n"].concat());
        }
        self.member(b'x', b"pax", b"", body.len() as u64, &body)
    }

    /// The archive without its end.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
