// Past publications.
import { equal, has, ok, refused } from "./check.mjs";
import { subscribed } from "./world.mjs";

async function filled(world, count, namespace = "chat") {
  const [client] = await world.connected();
  const [sub] = await subscribed(client, world.channel(namespace));
  for (let n = 1; n <= count; n += 1) await sub.publish(world.pack({ n }));
  const numbers = ({ publications }) => publications.map(({ data }) => world.unpack(data).n);
  return { client, sub, numbers };
}

export const cases = {
  "without a limit only the position comes": async (world) => {
    const { sub } = await filled(world, 3);
    const history = await sub.history();
    equal(history.publications, []);
    equal(history.offset, 3);
    ok(history.epoch.length > 0, "there is an epoch");
  },

  "all come, or the first, or the last": async (world) => {
    const { sub, numbers } = await filled(world, 10);
    for (const [options, expected] of [
      [{ limit: -1 }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
      [{ limit: 3 }, [1, 2, 3]],
      [{ limit: 3, reverse: true }, [10, 9, 8]],
      [{ limit: -1, reverse: true }, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
      [{ limit: 100 }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    ]) {
      const history = await sub.history(options);
      equal(numbers(history), expected, JSON.stringify(options));
      equal(history.offset, 10, "the offset");
    }
  },

  "pages go forward and back": async (world) => {
    const { sub, numbers } = await filled(world, 10);
    const { epoch } = await sub.history();
    for (const [reverse, start, expected] of [
      [false, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10], []]],
      [true, 11, [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1], []]],
    ]) {
      const pages = [];
      let offset = start;
      for (let n = 0; n < expected.length; n += 1) {
        const history = await sub.history({ limit: 3, reverse, since: { offset, epoch } });
        pages.push(numbers(history));
        offset = history.publications.at(-1)?.offset ?? offset;
      }
      equal(pages, expected, reverse ? "back" : "forward");
    }
  },

  "a position in another stream is none": async (world) => {
    const { sub } = await filled(world, 2);
    await refused(sub.history({ limit: 1, since: { offset: 1, epoch: "another" } }), 112);
  },

  "the oldest go": async (world) => {
    const { sub, numbers } = await filled(world, 5, "smallhistory");
    const history = await sub.history({ limit: -1 });
    equal(numbers(history), [4, 5]);
    equal(history.offset, 5);
    equal(numbers(await sub.history({ limit: -1, since: { offset: 1, epoch: history.epoch } })), [4, 5]);
  },

  "publications keep who published them": async (world) => {
    const { sub } = await filled(world, 1);
    const [publication] = (await sub.history({ limit: 1 })).publications;
    has(publication, { offset: 1 });
    equal(publication.info.user, "ann");
  },

  "who may not ask is told so": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("readonly"));
    await refused(sub.history({ limit: 1 }), 103);
    await refused(client.history(world.channel("nowhere")), 102);
    await refused(client.history(world.channel("recovery")), 103, "a history without a subscription");
    const [without] = await subscribed(client, world.channel("lobby"));
    await refused(without.history(), 108, "the history of a channel that keeps none");
  },
};
