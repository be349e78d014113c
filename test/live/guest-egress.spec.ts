import { egressGuestTests } from '../support/egress-guest.js';
import { useImage } from '../support/images/use-image.js';

const image = useImage('plain');

egressGuestTests(() => image.isoPath);
