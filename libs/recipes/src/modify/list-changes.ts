import { isObject, type JsonObject } from '../normalise/json-values.js';
import { splitSpec } from '../validation/check-packages.js';

/** What an entry of a list is called by, so that the same thing is not there twice and can be removed. */
type NameOf = (entry: unknown) => unknown;

const field =
  (key: string): NameOf =>
  (entry) =>
    isObject(entry) ? entry[key] : entry;
const word: NameOf = (entry) => entry;
const packageName: NameOf = (entry) => (typeof entry === 'string' ? splitSpec(entry).name : entry);

interface ListChange {
  list: string;
  act: 'add' | 'remove';
  nameOf: NameOf;
  doc: string;
}

const add = (list: string, nameOf: NameOf, doc: string): ListChange => ({ list, act: 'add', nameOf, doc });
const remove = (list: string, nameOf: NameOf, doc: string): ListChange => ({ list, act: 'remove', nameOf, doc });

/** Changes of lists, which a merge patch can only replace whole. An added entry takes the place of one of the same name. */
export const listChanges: Record<string, ListChange> = {
  add_packages: add('packages', packageName, 'Packages to add.'),
  remove_packages: remove('packages', packageName, 'Names of packages to take out of packages.'),
  add_features: add('features', word, 'Features to add.'),
  remove_features: remove('features', word, 'Features to take out.'),
  add_users: add('users', field('username'), 'Users to add.'),
  remove_users: remove('users', field('username'), 'Names of users to take out.'),
  add_services: add('services', field('name'), 'Services to add.'),
  remove_services: remove('services', field('name'), 'Names of services to take out.'),
  add_files: add('files', field('path'), 'Files to add.'),
  add_groups: add('groups', field('name'), 'Groups to add.'),
  add_startup_scripts: add('startup_scripts', field('name'), 'Startup scripts to add.'),
  add_tests: add('tests', field('description'), 'Tests to add.'),
};

/** @returns the changed list, and the places of the entries that were to be removed and are not there */
export function changeList(
  recipe: JsonObject,
  { list, act, nameOf }: ListChange,
  entries: unknown[],
): { list: unknown[]; absent: number[] } {
  const before = Array.isArray(recipe[list]) ? (recipe[list] as unknown[]) : [];
  const names = new Set(entries.map(nameOf));
  const kept = before.filter((entry) => !names.has(nameOf(entry)));
  if (act === 'add') return { list: [...kept, ...entries], absent: [] };
  const there = new Set(before.map(nameOf));
  return { list: kept, absent: entries.flatMap((entry, at) => (there.has(nameOf(entry)) ? [] : [at])) };
}
