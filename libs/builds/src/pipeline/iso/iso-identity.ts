import { createHash } from 'node:crypto';
import { AppError } from '#libs/platform';

/** Everything that names one image apart from another, derived from its id and its epoch and from nothing else. */
export interface IsoIdentity {
  /** ISO 9660 volume id, which is also the file system's label. */
  volumeId: string;
  /** `YYYYMMDDhhmmsscc`: the volume's modification date, which udev and GRUB show as the file system's UUID. */
  modificationDate: string;
  /** Of the GPT, 32 hex digits; xorriso derives the partitions' from it. */
  diskGuid: string;
  /** Serial number of the FAT of the EFI system partition, 8 hex digits. */
  fatSerial: string;
  /** The file by which GRUB knows its own medium among all that are plugged in. */
  markerName: string;
  /** Label of the partition or file that live-boot keeps changes on; an ext4 label has 16 bytes. */
  persistenceLabel: string;
}

export function isoIdentity(imageId: string, epochSeconds: number): IsoIdentity {
  if (!/^[0-9a-f]{16,128}$/.test(imageId)) throw internal('The id of an image is 16 to 128 lower-case hex digits.');
  if (!Number.isSafeInteger(epochSeconds) || epochSeconds < 315_532_800 || epochSeconds > 4_294_967_295)
    throw internal('The epoch of an image lies between 1980 (FAT) and 2106.');
  const hash = createHash('sha256').update(`openfactory-iso:${imageId}`).digest();
  // Two images of one epoch would share their UUID: the minute is the epoch's, the second and its hundredths are the image's.
  const minute = new Date(epochSeconds * 1000).toISOString().replaceAll(/[-T:]/g, '').slice(0, 12);
  const digits = (value: number) => String(value).padStart(2, '0');
  return {
    volumeId: `OF_${imageId.slice(0, 8).toUpperCase()}`,
    modificationDate: `${minute}${digits(hash.readUInt16BE(0) % 60)}${digits(hash.readUInt16BE(2) % 100)}`,
    diskGuid: uuidDigits(hash.subarray(4, 20)),
    fatSerial: hash.subarray(20, 24).toString('hex'),
    markerName: `of-${imageId}`,
    persistenceLabel: persistenceLabelOf(imageId),
  };
}

/** An ext4 label has 16 bytes. */
export const persistenceLabelOf = (imageId: string): string => `of-${imageId.slice(0, 11)}`;

/** As GPT stores it: version 4, variant 1 (RFC 9562), the first three fields little-endian, so the version is in byte 7. */
function uuidDigits(bytes: Buffer): string {
  const uuid = Buffer.from(bytes);
  uuid[7] = ((uuid[7] ?? 0) & 0x0f) | 0x40;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid.toString('hex');
}

const internal = (message: string) => new AppError({ kind: 'internal', reason: 'iso_identity_invalid', message });
