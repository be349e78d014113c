/**
 * The images that live tests ask, by name. Each costs a build and a boot where it is not kept already, some minutes: add to one what goes together
 * with what is in it, rather than making another. A test names what it needs of its recipe beside its questions.
 */
export const imageRecipes = {
  /** What most questions can be put to. */
  sink: {
    name: 'kitchen-sink',
    base_image: 'debian-bookworm',
    features: ['ssh'],
    users: [{ username: 'ada', password: 'counts4the-engine', sudo: true }],
    output: { compression: 'fast' },
  },
  /** The same for what differs on Debian 13. */
  sinkTrixie: {
    name: 'kitchen-sink-trixie',
    base_image: 'debian-trixie',
    features: ['ssh'],
    users: [{ username: 'ada', password: 'counts4the-engine', sudo: true }],
    output: { compression: 'fast' },
  },
} satisfies Record<string, { name: string; base_image: string; [field: string]: unknown }>;

export type ImageName = keyof typeof imageRecipes;
