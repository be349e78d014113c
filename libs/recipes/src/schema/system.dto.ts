import { Flag, OneOf, SomeOf, Text, Texts } from './field.decorators.js';
import {
  absolutePath,
  accountName,
  kernelArgument,
  keyboardLayout,
  localeName,
  oneLine,
  screenSize,
  timezone,
} from './text-rules.js';

export const hardeningLevels = ['minimal', 'standard', 'strict'] as const;
export const outputFormats = ['iso', 'qcow2', 'raw'] as const;
export const compressions = ['fast', 'balanced', 'small'] as const;

export class RecipeSecurity {
  @OneOf(
    hardeningLevels,
    'minimal: part of CIS level 1; standard: CIS level 1; strict: CIS level 2 (server profile).',
    { default: 'standard' },
  )
  hardening_level: (typeof hardeningLevels)[number] = 'standard';
  @Flag('Keep an audit trail (auditd); adds the feature auditd.', false) audit_logging: boolean = false;
  @Flag('Install security updates by itself.', false) automatic_updates: boolean = false;
  @Flag('Sign the boot chain.', false) secure_boot: boolean = false;
  @Flag('Lock the root account.', true) disable_root: boolean = true;
}

export class RecipeDesktop {
  @OneOf(['xfce'], 'Desktop environment.', { default: 'xfce' }) environment: string = 'xfce';
  @OneOf(['light', 'dark'], 'Colours.', { default: 'light' }) theme: 'light' | 'dark' = 'light';
  @Text(absolutePath, 'Path of a picture in the image.') wallpaper?: string;
  @Texts(oneLine, 'Programs in the panel, such as "firefox.desktop".', { maxItems: 50, default: [] })
  favorites: string[] = [];
  @Text(accountName, 'User who is logged in without a password.') autologin?: string;
  @Text(screenSize, 'Screen size.') resolution?: string;
  @Text(localeName, 'Locale of the desktop; that of `system` without it.') locale?: string;
  @Text(keyboardLayout, 'Keyboard of the desktop; that of `system` without it.') keyboard?: string;
}

export class RecipeSystem {
  @Text(timezone, 'Time zone.', { default: 'UTC' }) timezone: string = 'UTC';
  @Text(localeName, 'Locale.', { default: 'C.UTF-8' }) locale: string = 'C.UTF-8';
  @Text(keyboardLayout, 'Keyboard layout.', { default: 'us' }) keyboard: string = 'us';
  @OneOf(['generic', 'cloud'], 'generic has every driver; cloud is smaller, for virtual machines only.', {
    default: 'generic',
  })
  kernel: 'generic' | 'cloud' = 'generic';
  @Texts(kernelArgument, 'Further kernel arguments.', { maxItems: 50, default: [] }) kernel_args: string[] = [];
}

export class RecipeOutput {
  @SomeOf(outputFormats, 'Image formats.', { minItems: 1, default: ['iso'] })
  formats: (typeof outputFormats)[number][] = ['iso'];
  @OneOf(compressions, 'fast: quickest build; small: smallest image.', { default: 'balanced' })
  compression: (typeof compressions)[number] = 'balanced';
}
