//! Every order in which steps can follow each other.

/// One order of steps: which of those that were possible was taken, each time.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// What was taken, and out of how many.
    choices: Vec<(usize, usize)>,
    at: usize,
    trace: Vec<String>,
}

impl Schedule {
    /// Which of so many steps is taken next.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        if self.at == self.choices.len() {
            self.choices.push((0, count));
        }
        let (chosen, of) = self.choices[self.at];
        assert_eq!(of, count, "a schedule comes out the same each time");
        self.at += 1;
        chosen
    }

    /// Writes down what was done, for whoever has to find out why it was wrong.
    pub(crate) fn note(&mut self, step: impl FnOnce() -> String) {
        self.trace.push(step());
    }

    /// Whether there is another one, which is then the next.
    fn advance(&mut self) -> bool {
        self.at = 0;
        self.trace.clear();
        while let Some((chosen, of)) = self.choices.pop() {
            if chosen + 1 < of {
                self.choices.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this happened:\n  {}", self.trace.join("\n  "));
        }
    }
}

/// Runs `scene` once in each order of its steps, and tells how many there are.
///
/// # Panics
/// When the scene does, and with more than `most` orders: then it has to become smaller.
pub(crate) fn explore(most: usize, mut scene: impl FnMut(&mut Schedule)) -> usize {
    let mut schedule = Schedule::default();
    for count in 1..=most {
        scene(&mut schedule);
        if !schedule.advance() {
            return count;
        }
    }
    panic!("more than {most} schedules");
}
