import type { BaseNames } from '../catalogue/base-names.js';
import { NameShelves, nearestNames } from '../packages/nearest-names.js';
import { part, text, type Draft } from './draft.js';
import type { Findings } from './findings.js';

/**
 * Zone, locale and keyboard by the names of the base. A spelling of which it is clear what it means becomes the base's own, and that is said;
 * what the base does not know is an error with the nearest names, whatever its shape.
 */
export async function settleSystem(draft: Draft, names: BaseNames, findings: Findings): Promise<Draft> {
  const settled = { ...draft };
  for (const section of ['system', 'desktop']) {
    const given = part(draft, section);
    const [zone, locale, keyboard] = [text(given, 'timezone'), text(given, 'locale'), text(given, 'keyboard')];
    const fields = { ...given };
    if (section === 'system' && zone) fields.timezone = await settleZone(zone, names, findings);
    if (locale) fields.locale = await settleLocale(locale, `/${section}/locale`, names, findings);
    if (keyboard) await checkKeyboard(keyboard, `/${section}/keyboard`, names, findings);
    if (Object.keys(fields).length) settled[section] = fields;
  }
  return settled;
}

async function settleZone(zone: string, { zones, oldZones }: BaseNames, findings: Findings): Promise<string> {
  if (zones.has(zone)) return zone;
  const today = oldZones.get(zone);
  if (today !== undefined) {
    findings.warn(
      '/system/timezone',
      'timezone_renamed',
      `${zone} is an old name that the base does not have; the image gets ${today}, which is the same time.`,
      today,
    );
    return today;
  }
  const known = [...zones];
  const written = zone.trim().replaceAll('\\', '/').replaceAll(' ', '_');
  const towns = known.filter((name) => name === written || name.toLowerCase().endsWith(`/${written.toLowerCase()}`));
  const near = [...new Set([...towns, ...(await nearest(written, known))])].slice(0, 3);
  findings.error('/system/timezone', 'unknown_timezone', `The base has no time zone ${zone}.${meant(near)}`, near[0]);
  return zone;
}

/** C and POSIX are the C library's own; every other locale is generated from the list. */
const builtIn = ['C', 'POSIX', 'C.UTF-8'];

async function settleLocale(locale: string, path: string, { locales }: BaseNames, findings: Findings): Promise<string> {
  const charset = locales.get(locale);
  if (charset !== undefined || builtIn.includes(locale)) {
    const inUnicode = `${locale.replace(/[.@].*/, '')}.UTF-8`;
    if (charset !== undefined && charset !== 'UTF-8' && locales.has(inUnicode))
      findings.warn(
        path,
        'locale_charset',
        `${locale} is a locale in ${charset}; ${inUnicode} is the one in UTF-8.`,
        inUnicode,
      );
    return locale;
  }
  const all = [...new Set([...builtIn, ...locales.keys()])];
  const key = localeKey(locale);
  const same = all.find((name) => localeKey(name, locales.get(name)) === key);
  if (same !== undefined) {
    findings.warn(path, 'locale_spelling', `${locale} is written ${same}; the image gets that.`, same);
    return same;
  }
  const near = [...new Set([...localesMeantBy(locale, locales), ...(await nearest(locale, all))])].slice(0, 3);
  findings.error(path, 'unknown_locale', `The base has no locale ${locale}.${meant(near)}`, near[0]);
  return locale;
}

/** The locale of a language in the country where most speak it ("de" is "de_DE.UTF-8"), or of what is written as elsewhere ("en-US"). */
function localesMeantBy(text: string, locales: BaseNames['locales']): string[] {
  if (/^(C|POSIX)\b/i.test(text)) return ['C.UTF-8'];
  const [, language = '', country = ''] = /^([a-z]{2,3})(?![a-z])(?:[_-]([a-z]{2})(?![a-z]))?/i.exec(text) ?? [];
  const places = [country, regionOf(language) ?? '']
    .filter(Boolean)
    .map((region) => `${language.toLowerCase()}_${region.toUpperCase()}`);
  return places.flatMap((place) => [`${place}.UTF-8`, place]).filter((name) => locales.has(name));
}

/** What two spellings of one locale have in common (as the C library compares charsets: without case and punctuation). */
function localeKey(name: string, charset = ''): string {
  const [, place = '', written = charset, modifier = ''] =
    /^([^.@]*)(?:\.([^@]*))?(@.*)?$/.exec(name.toLowerCase()) ?? [];
  return `${place}.${written.toLowerCase().replace(/[^a-z0-9]/g, '')}${modifier}`;
}

async function checkKeyboard(
  keyboard: string,
  path: string,
  { keyboards }: BaseNames,
  findings: Findings,
): Promise<void> {
  const { layout, variant } = splitKeyboard(keyboard);
  const variants = keyboards.get(layout);
  if (!variants) {
    const near = [
      ...new Set([...keyboardsMeantBy(layout, keyboards), ...(await nearest(layout, [...keyboards.keys()]))]),
    ].slice(0, 3);
    findings.error(path, 'unknown_keyboard', `The base has no keyboard layout ${layout}.${meant(near)}`, near[0]);
  } else if (variant !== undefined && !variants.includes(variant)) {
    const near = await nearest(variant, variants);
    const known = near.length
      ? meant(near.map((name) => `${layout}(${name})`))
      : variants.length
        ? ` There are ${variants.slice(0, 12).join(', ')}.`
        : ' It has no variants.';
    findings.error(
      path,
      'unknown_keyboard',
      `The keyboard layout ${layout} has no variant ${variant}.${known}`,
      near[0] && `${layout}(${near[0]})`,
    );
  }
}

/** `de(nodeadkeys)` as layout and variant. */
export function splitKeyboard(keyboard: string): { layout: string; variant?: string } {
  const [, layout = keyboard, variant] = /^([a-z]+)\((.*)\)$/.exec(keyboard) ?? [];
  return { layout, ...(variant !== undefined && { variant }) };
}

/** Layouts as other lists write them: "de-latin1-nodeadkeys" of the console, "us,de" of X, "dvorak" alone. */
function keyboardsMeantBy(text: string, keyboards: BaseNames['keyboards']): string[] {
  const words = text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean)
    .slice(0, 8);
  const codes = words.map((word) => word.replace(/\d+$/, ''));
  const named = codes.filter((code) => keyboards.has(code));
  const layouts = named.length ? named : codes.flatMap(layoutsMeantBy).filter((code) => keyboards.has(code));
  const hasVariant = (layout: string, word: string) => !keyboards.has(word) && keyboards.get(layout)?.includes(word);
  const variants = layouts.flatMap((layout) =>
    words.filter((word) => hasVariant(layout, word)).map((word) => `${layout}(${word})`),
  );
  const alone = layouts.length
    ? []
    : ['us', ...keyboards.keys()].flatMap((layout) =>
        words.filter((word) => hasVariant(layout, word)).map((word) => `${layout}(${word})`),
      );
  return [...variants, ...layouts, ...alone];
}

/** Layouts are named by country. A code that is none is an alias of one ("uk" is "gb"), or a language ("sv" is spoken in "se"). */
function layoutsMeantBy(code: string): string[] {
  return [regionOf(`und-${code.toUpperCase()}`), regionOf(code)].filter(
    (name): name is string => name !== undefined && name !== code,
  );
}

function regionOf(tag: string): string | undefined {
  try {
    return new Intl.Locale(tag).maximize().region?.toLowerCase();
  } catch {
    return undefined;
  }
}

const nearest = async (name: string, known: readonly string[]): Promise<string[]> =>
  (await nearestNames(new NameShelves(known), [name])).get(name) ?? [];
const meant = (near: readonly string[]): string => (near.length ? ` The nearest are ${near.join(', ')}.` : '');
