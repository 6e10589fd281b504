// SPDX-License-Identifier: MIT OR Apache-2.0
// qstrs specific to this port
// *FORMAT-OFF*
