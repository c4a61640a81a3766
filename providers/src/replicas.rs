//! Several providers of the same backend behind one: each request goes to the one with the fewest in flight. Knows not
//! what they are.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::evidence::{Evidence, ProveRequest};
use crate::provider::{BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Provider, ProviderError};

/// Providers that share the requests, at least one.
#[derive(Debug)]
pub struct Replicas<P> {
    members: Vec<P>,
    in_flight: Vec<AtomicUsize>,
    /// Where the search for the least loaded begins: behind the last choice, so that equals take turns.
    next: AtomicUsize,
}

/// Counts a request for as long as it is in flight, also when it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<P> Replicas<P> {
    /// Puts the members, at least one, behind one.
    #[must_use]
    pub fn new(members: Vec<P>) -> Self {
        assert!(!members.is_empty(), "replicas of nothing: this is a bug");
        let in_flight = members.iter().map(|_| AtomicUsize::new(0)).collect();
        Self { members, in_flight, next: AtomicUsize::new(0) }
    }

    /// The providers, in their order.
    #[must_use]
    pub fn members(&self) -> &[P] {
        &self.members
    }

    /// The providers, to be ended.
    #[must_use]
    pub fn into_members(self) -> Vec<P> {
        self.members
    }

    fn choose(&self) -> (&P, Counted<'_>) {
        let count = self.members.len();
        let first = self.next.load(Ordering::Relaxed);
        let chosen = (0..count)
            .map(|step| (first + step) % count)
            .min_by_key(|index| self.in_flight[*index].load(Ordering::Relaxed))
            .unwrap_or_default();
        self.next.store((chosen + 1) % count, Ordering::Relaxed);
        self.in_flight[chosen].fetch_add(1, Ordering::Relaxed);
        (&self.members[chosen], Counted(&self.in_flight[chosen]))
    }
}

impl<P: Provider> Provider for Replicas<P> {
    /// Loads all of them at once. What the slowest took is what they took; what runs is what the first says.
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            let all =
                futures_util::future::try_join_all(self.members.iter().map(|member| member.load(request)));
            let all = all.await?;
            let mut loaded = all[0].clone();
            loaded.concurrency = all.iter().map(|one| one.concurrency).sum();
            loaded.import_ns = all.iter().map(|one| one.import_ns).max().flatten();
            loaded.load_ns = all.iter().map(|one| one.load_ns).max().flatten();
            Ok(loaded)
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        let (member, counted) = self.choose();
        let answer = member.embed(request);
        Box::pin(async move {
            let _counted = counted;
            answer.await
        })
    }

    /// What the first records: they are all started alike.
    fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        self.members[0].prove(request)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Notify;

    use super::*;
    use crate::null::loaded_without_model;

    /// Counts its requests and answers each when it is told to.
    #[derive(Debug, Default)]
    struct Slow {
        asked: Mutex<usize>,
        answer: Notify,
    }

    impl Provider for Slow {
        fn load<'a>(&'a self, _: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
            Box::pin(async { Ok(loaded_without_model("slow", 1, 2, 7)) })
        }

        fn embed<'a>(&'a self, _: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
            *self.asked.lock().expect("no panic") += 1;
            Box::pin(async {
                self.answer.notified().await;
                Err(ProviderError::Embed("enough".to_owned()))
            })
        }

        fn prove<'a>(&'a self, _: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
            Box::pin(async { Ok(Evidence::none("slow")) })
        }
    }

    fn asked(replicas: &Replicas<Slow>) -> Vec<usize> {
        replicas.members().iter().map(|member| *member.asked.lock().expect("no panic")).collect()
    }

    #[tokio::test]
    async fn a_request_goes_to_the_one_with_the_fewest_in_flight_and_equals_take_turns() {
        let replicas = Replicas::new(vec![Slow::default(), Slow::default(), Slow::default()]);
        let request = EmbedRequest { texts: vec!["a".into()], normalize: true };
        let mut running: Vec<_> = (0..3).map(|_| replicas.embed(&request)).collect();
        assert_eq!(asked(&replicas), [1, 1, 1]);
        running.push(replicas.embed(&request));
        assert_eq!(asked(&replicas), [2, 1, 1]);
        replicas.members()[2].answer.notify_one();
        let done = running.remove(2).await;
        assert_eq!(done, Err(ProviderError::Embed("enough".to_owned())));
        running.push(replicas.embed(&request));
        assert_eq!(asked(&replicas), [2, 1, 2], "the third was the only idle one");
        drop(running);
        drop(replicas.embed(&request));
        assert_eq!(asked(&replicas).iter().sum::<usize>(), 6);
        assert!(
            replicas.in_flight.iter().all(|count| count.load(Ordering::Relaxed) == 0),
            "dropped ones count no more"
        );
    }

    #[tokio::test]
    async fn together_they_take_as_many_at_once_as_all_of_them() {
        let replicas = Replicas::new(vec![Slow::default(), Slow::default()]);
        let request = LoadRequest { model: None, options: crate::provider::Options::new() };
        let loaded = replicas.load(&request).await.expect("loaded");
        assert_eq!((loaded.concurrency, loaded.load_ns), (4, Some(7)));
    }
}
