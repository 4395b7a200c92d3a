//! Chance that can be repeated: splitmix64, a bijection of its counter, so distinct counters give distinct keys.

pub fn splitmix64(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub struct Random {
    counter: u64,
}

impl Random {
    pub fn new(seed: u64, stream: u64) -> Self {
        Random { counter: splitmix64(seed ^ splitmix64(stream)) }
    }

    pub fn draw(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        splitmix64(self.counter)
    }

    /// From 0 to `bound` - 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}
