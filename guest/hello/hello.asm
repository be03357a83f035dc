; hello.asm - the built-in guest of skep: a boot firmware of one page.
;
; It greets on the first serial port, then sleeps until a byte arrives there or
; the ACPI power button is pressed. Bytes are commands:
;
;       q       power off
;       r       reset
;       t       triple fault
;       h       hang: sleep for ever; not even the power button is answered
;       f       flood the console for ever; only the power button still works
;       other   echoed
;
; One image runs on QEMU's q35 machine (KVM or TCG) and on bhyve. Build it with
;       nasm -f bin -o hello.rom hello.asm
;
; Where the facts below come from:
;   [ICH9]   Intel I/O Controller Hub 9 datasheet, chapter 13, LPC bridge
;   [SDM]    Intel 64 Software Developer's Manual, volume 3
;   [QEMU]   hw/isa/lpc_ich9.c, hw/acpi/core.c, hw/char/serial.c,
;            hw/timer/i8254.c, hw/intc/apic.c
;   [bhyve]  FreeBSD usr.sbin/bhyve: amd64/pm.c, uart_emul.c, bootrom.c; and
;            sys/amd64/vmm: vmm.c, io/vatpic.c, io/vlapic.c
;
; SPDX-License-Identifier: BSD-2-Clause

        bits    16

ROM_SIZE        equ 4096        ; QEMU and bhyve both ask for whole pages
ROM             equ 0x10000 - ROM_SIZE  ; its offset in the last 64 KiB below 4 GiB
RAM             equ 0x8000      ; where the guest lives after its first moments

COM1            equ 0x3f8       ; data register
COM1_IER        equ COM1 + 1
COM1_FCR        equ COM1 + 2
COM1_LSR        equ COM1 + 5
LSR_DATA        equ 0x01        ; a byte has arrived
LSR_THRE        equ 0x20        ; there is room for a byte to send

PIC1            equ 0x20        ; command ports; the data port is the next one
PIC2            equ 0xa0
EOI             equ 0x20
VECTORS         equ 0x20        ; IRQ 0 arrives here, clear of the exceptions

LAPIC           equ 0xfee00000

PCI_ADDRESS     equ 0xcf8
PCI_DATA        equ 0xcfc
LPC_BRIDGE      equ 0x8000f800  ; bus 0, device 31, function 0
ICH9_LPC        equ 0x29188086  ; its device and vendor on q35

; ACPI power management 1 registers, relative to their base port
PM1_STS         equ 0           ; all three are 16 bits wide and bhyve
PM1_EN          equ 2           ; refuses any other width
PM1_CNT         equ 4
PWRBTN          equ 0x0100      ; the same bit in PM1_STS and PM1_EN
SCI_EN          equ 0x0001
SLP_EN          equ 0x2000

;------------------------------------------------------------------------------
; The ROM. The last 16 bytes below 4 GiB are where a processor starts, with CS
; selector F000h but CS base FFFF0000h. Any far jump, and any return from an
; interrupt, would move the base to F0000h. QEMU shows the ROM there too; bhyve
; does not. So until the copy in RAM runs: near jumps, data through CS, and no
; interrupts.

        section .rom    start=0 vstart=ROM
reset:
        ; The greeting's first letter goes out before all else, because it is
        ; what start-up time is measured by. No UART set-up is needed first: both
        ; hypervisors' UARTs send at once and know no line speed.
        mov     dx, COM1
        mov     al, 'h'
        out     dx, al

        xor     ax, ax
        mov     es, ax
        mov     di, RAM
        mov     si, ROM + section..ram.start
        mov     cx, (ram_end - ram + 1) / 2
        cld
        cs rep  movsw
        jmp     0:ram

        section .reset  start=(ROM_SIZE - 16) vstart=0xfff0
        jmp     reset
        align   16, db 0

;------------------------------------------------------------------------------
; The guest proper, in RAM. Every segment register is 0 from here on.

        section .ram    follows=.rom align=16 vstart=RAM
ram:
        mov     ds, ax
        mov     ss, ax
        mov     sp, RAM

        ; Nothing but IRQ 4 and IRQ 9 is expected. What comes all the same (a
        ; spurious interrupt, an NMI from the monitor) is ignored.
        xor     di, di
        mov     cx, 256
.vector:
        mov     ax, ignore
        stosw
        xor     ax, ax
        stosw
        loop    .vector
        mov     word [4 * (VECTORS + 4)], serial
        mov     word [4 * (VECTORS + 9)], sci
        mov     word [4 * (VECTORS + 15)], spurious15

        ; Both 8259s: edge triggered, cascaded over IRQ 2, 8086 mode; all lines
        ; masked but the cascade, the serial port (4) and the SCI (9).
        mov     al, 0x11
        out     PIC1, al
        out     PIC2, al
        mov     al, VECTORS
        out     PIC1 + 1, al
        mov     al, VECTORS + 8
        out     PIC2 + 1, al
        mov     al, 1 << 2
        out     PIC1 + 1, al
        mov     al, 2
        out     PIC2 + 1, al
        mov     al, 0x01
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, ~(1 << 2 | 1 << 4) & 0xff
        out     PIC1 + 1, al
        mov     al, ~(1 << 1) & 0xff
        out     PIC2 + 1, al

        call    arm_power_button

        ; Interrupt on received data only. The FIFOs stay off: switching them on
        ; throws away what has arrived so far, and bhyve even empties the host's
        ; side [bhyve uart_emul.c, rxfifo_reset]. A command piped in before the
        ; start would be lost. Without them both hypervisors hold input back
        ; until there is room, so nothing is lost however slowly it is read.
        mov     dx, COM1_IER
        mov     al, 1
        out     dx, al
        sti

        ; Only now the rest of the greeting: whoever has read the whole line may
        ; count on the power button.
        mov     si, greeting
        call    say
        call    hypervisor
        call    say
        mov     si, commands
        call    say

; Sleep, wake, obey. The byte is looked for with interrupts off, and STI takes
; effect only after the instruction that follows it, so that no byte can slip in
; between the look and the sleep.
idle:
        cli
        mov     dx, COM1_LSR
        in      al, dx
        test    al, LSR_DATA
        jnz     obey
        sti
        hlt
        jmp     idle

obey:
        sti
        mov     dx, COM1
        in      al, dx
        cmp     al, 'q'
        je      do_power_off
        cmp     al, 'r'
        je      do_reset
        cmp     al, 't'
        je      do_triple_fault
        cmp     al, 'h'
        je      do_hang
        cmp     al, 'f'
        je      do_flood
        cmp     al, 13          ; a terminal's return key and a file's line end
        je      .newline        ; both move to the start of a new line
        cmp     al, 10
        je      .newline
        call    put
        jmp     idle
.newline:
        mov     si, newline
        call    say
        jmp     idle

;------------------------------------------------------------------------------
; Commands

do_power_off:
        mov     si, bye_power_off
        call    farewell
power_off:
        mov     dx, [pm1]
        add     dx, PM1_CNT
        mov     ax, [s5]
        out     dx, ax
        jmp     hang            ; it may take effect a moment later

do_reset:
        mov     si, bye_reset
        call    farewell
        mov     dx, 0xcf9       ; reset on the 0 to 1 step of bit 2
        mov     al, 0x02
        out     dx, al
        mov     al, 0x06
        out     dx, al
        jmp     hang

do_triple_fault:
        mov     si, bye_triple_fault
        call    farewell
        ; With no vectors an exception cannot be delivered, nor can the one that
        ; this raises. In protected mode, because KVM's emulation of real mode
        ; does not look at the limit.
        cli
        lidt    [no_vectors]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        int3

do_hang:
        call    mask_interrupts          ; first: once it says so it must be so
        mov     si, bye_hang
        call    farewell
hang:
        call    mask_interrupts
        sti
.sleep:
        hlt
        jmp     .sleep

; mask_interrupts masks every interrupt line. CLI would not do: a processor that halts with
; interrupts off has bhyve end the machine [bhyve vmm.c, halt_detection].
mask_interrupts:
        mov     al, 0xff
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        ret

do_flood:
        ; Input no longer matters, so the FIFO may go on: one look at the line
        ; status then serves for 16 bytes. With input left unread bhyve would
        ; also interrupt at each touch of the UART.
        mov     dx, COM1_IER
        xor     al, al
        out     dx, al
        mov     dx, COM1_FCR
        mov     al, 1
        out     dx, al
.line:
        mov     si, flood
        mov     bl, (flood_end - flood) / 16
.ready:
        mov     dx, COM1_LSR
        in      al, dx
        test    al, LSR_THRE
        jz      .ready
        mov     dx, COM1
        mov     cx, 16
.byte:
        lodsb
        out     dx, al
        loop    .byte
        dec     bl
        jnz     .ready
        jmp     .line

;------------------------------------------------------------------------------
; Power management

; arm_power_button finds the PM registers, makes the button raise the SCI on
; IRQ 9, and leaves in [pm1] and [s5] what powering off takes.
arm_power_button:
        mov     eax, LPC_BRIDGE
        call    pci_select
        in      eax, dx
        cmp     eax, ICH9_LPC
        jne     .bhyve

        ; q35 leaves all of it to the firmware: the port base (PMBASE, 40h) and
        ; the decoding of it (ACPI_CNTL, 44h bit 7; bits 0-2 = 0: SCI is IRQ 9)
        ; [ICH9]. SCI_EN is set straight in PM1_CNT and not through port B2h:
        ; that may raise an SMI, and nobody is there to handle one.
        mov     eax, LPC_BRIDGE + 0x40
        call    pci_select
        mov     eax, 0x600
        out     dx, eax
        mov     eax, LPC_BRIDGE + 0x44
        call    pci_select
        mov     al, 0x80
        out     dx, al
        mov     dx, 0x600 + PM1_CNT
        mov     ax, SCI_EN
        out     dx, ax
        mov     word [pm1], 0x600
        mov     word [s5], SLP_EN       ; QEMU's S5 is sleep type 0

        ; The local APIC lets nothing of the 8259s through until its LINT0 pin is
        ; set to do so, "virtual wire mode" [SDM, local vector table]. Switching
        ; the APIC off instead does for KVM but not for TCG [QEMU apic.c]. bhyve's
        ; passes them on from the start [bhyve vlapic.c, vlapic_trigger_lvt].
        ; The APIC's registers lie far above 1 MiB, hence a moment in protected
        ; mode with a segment that reaches them; CS stays as it is.
        lgdt    [gdt]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     .protected
.protected:
        mov     cx, gdt.flat - gdt
        mov     fs, cx
        mov     dword [dword fs:LAPIC + 0x0f0], 0x1ff   ; on, spurious is FFh
        mov     dword [dword fs:LAPIC + 0x350], 0x700   ; LINT0: ExtINT
        and     al, ~1 & 0xff
        mov     cr0, eax
        xor     cx, cx
        mov     fs, cx

        ; QEMU's timer ticks from reset on [QEMU i8254.c]. Its line is masked, but
        ; each tick wakes the host. Let it count once (mode 0) and rest.
        mov     al, 0x30
        out     0x43, al
        mov     al, 1
        out     0x40, al
        xor     al, al
        out     0x40, al
        jmp     .arm

.bhyve:
        ; bhyve's registers are fixed. It listens for SIGTERM, its power button,
        ; only after this command [bhyve pm.c, smi_cmd_handler].
        mov     al, 0xa0
        out     0xb2, al

.arm:
        mov     dx, [pm1]
        mov     ax, PWRBTN
        out     dx, ax          ; PM1_STS: writing 1 clears
        add     dx, PM1_EN
        out     dx, ax
        ret

; pci_select opens the configuration register EAX and leaves its port in DX.
pci_select:
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dx, PCI_DATA
        ret

;------------------------------------------------------------------------------
; Interrupts

; A byte has come. That it woke the processor is all it takes: idle reads it.
serial:
        push    ax
        mov     al, EOI
        out     PIC1, al
        pop     ax
        iret

; The SCI. A pressed button ends the guest from whatever it is doing, so nothing
; needs to be kept for a return then.
sci:
        push    ax
        push    dx
        mov     dx, [pm1]
        in      ax, dx
        out     dx, ax          ; clear all that is set: the line must fall
        test    ax, PWRBTN
        jnz     .button
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        pop     dx
        pop     ax
        iret
.button:
        mov     si, bye_button
        call    farewell
        jmp     power_off

; A spurious IRQ 15 has still taken the cascade on the first 8259.
spurious15:
        push    ax
        mov     al, EOI
        out     PIC1, al
        pop     ax
ignore:
        iret

;------------------------------------------------------------------------------
; Words

; put sends AL and waits for as long as the console takes. Interrupts stay on, so
; a console that nobody reads does not keep the power button from working.
put:
        push    dx
        push    ax
        mov     dx, COM1_LSR
.wait:
        in      al, dx
        test    al, LSR_THRE
        jz      .wait
        pop     ax
        mov     dx, COM1
        out     dx, al
        pop     dx
        ret

; say puts the text at SI.
say:
        lodsb
        test    al, al
        jz      .done
        call    put
        jmp     say
.done:
        ret

; farewell says the text at SI to whoever listens, and gives up at the first byte
; that would have to wait: last words must not hold up the end.
farewell:
        mov     dx, COM1_LSR
        in      al, dx
        test    al, LSR_THRE
        jz      .done
        lodsb
        test    al, al
        jz      .done
        mov     dx, COM1
        out     dx, al
        jmp     farewell
.done:
        ret

; hypervisor points SI at the name of the one this runs on, by the signature that
; CPUID leaf 40000000h gives.
hypervisor:
        mov     eax, 0x40000000
        cpuid
        mov     si, on_kvm
        cmp     ebx, 'KVMK'     ; KVMKVMKVM
        je      .done
        mov     si, on_tcg
        cmp     ebx, 'TCGT'     ; TCGTCGTCGTCG
        je      .done
        mov     si, on_bhyve
        cmp     ebx, 'bhyv'     ; "bhyve bhyve "
        je      .done
        mov     si, on_unknown
.done:
        ret

greeting:       db 'ello from a guest inside skep, on ', 0      ; after the 'h'
on_kvm:         db 'KVM', 13, 10, 0
on_tcg:         db 'QEMU TCG', 13, 10, 0
on_bhyve:       db 'bhyve', 13, 10, 0
on_unknown:     db 'a hypervisor it does not know', 13, 10, 0
commands:         db 'commands: q power off, r reset, t triple fault, h hang, '
                db 'f flood; the rest is echoed', 13, 10, 0
newline:        db 13, 10, 0

bye_power_off:          db 'power off', 13, 10, 0
bye_button:             db 'power button: power off', 13, 10, 0
bye_reset:              db 'reset', 13, 10, 0
bye_triple_fault:       db 'triple fault', 13, 10, 0
bye_hang:               db 'hang', 13, 10, 0

flood:          db 'flood: this line comes again and again, '
                db 'as fast as the console takes it.......', 13, 10
flood_end:
%if (flood_end - flood) % 16
%error the flood line must be a whole number of FIFOs
%endif

        align   8, db 0
gdt:            dw .end - gdt - 1       ; the null descriptor holds the GDT's own
                dd gdt                  ; limit and base for LGDT
                dw 0
.flat:          dw 0xffff, 0x0000, 0x9200, 0x00cf       ; data, 0 to 4 GiB
.end:

no_vectors:     dw 0, 0, 0      ; limit and base for LIDT

pm1:            dw 0x400        ; PM register base: bhyve's until q35 is found
s5:             dw SLP_EN | 5 << 10     ; powers off: bhyve's S5 is sleep type 5
ram_end:
