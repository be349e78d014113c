import { productVersion } from '#libs/platform';
import type { GatewayOptions } from '#libs/mcp';

/** In the order that tools/list shows them. */
export const toolsets = ['recipes', 'builds', 'vms', 'desktop', 'tests', 'hostfactory'] as const;

export const gatewayOptions: GatewayOptions = {
  serverInfo: {
    name: 'openfactory',
    title: 'OpenFactory',
    version: productVersion,
    description:
      'A factory for operating-system images: recipes become bootable Debian images, images become machines.',
  },
  instructions: [
    'OpenFactory builds operating-system images from recipes (JSON).',
    'Start from a template: list_recipe_categories and list_recipes show what there is, get_recipe shows one whole, create_recipe_from_template makes a recipe of your own from it.',
    'Before anything is built, call validate_recipe: it reports every mistake at once with its path, and what the recipe resolves to. Correct all of them, then validate again.',
    'Then create_build starts a build and returns its build_id at once; get_build_status tells how far it is, and get_iso_download_url gives the image of a completed one.',
    'create_vm starts a virtual machine from a completed build: the first of an image and size boots, later ones run in about a second. screenshot_vm shows its screen, interact_vm uses its mouse and keyboard, list_vms tells how your machines are; stop_vm keeps their disks, delete_vm deletes them.',
    'A refused call is a result with isError: read its hint, mend the call, repeat it. Send the same idempotency_key when you repeat a call that creates something.',
    'Work that takes long returns an id at once; ask for its state with the matching get_ tool.',
    'Without an API key your work belongs to your network address; everybody behind the same address shares it.',
  ].join('\n'),
  toolsets,
};
